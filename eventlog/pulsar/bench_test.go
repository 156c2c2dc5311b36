package pulsar_test

import (
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	client "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/log"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// cpu returns the process's CPU time.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRead measures the cost of a record of 200 B from the socket to messages.Record. It
// measures this process's CPU time, not the wall time, since the broker runs beside it. Shapes:
// single as Append stores one event, batched as other clients do, packed as Append stores many,
// plain and compressed.
func BenchmarkRead(b *testing.B) {
	c := pulsartest.Shared(b)
	for _, shape := range []string{"single", "batched", "packed", "compressed"} {
		b.Run(shape, func(b *testing.B) {
			l := open(b, c, func(c *pulsar.Config) { c.CompressBytes = map[bool]int{true: 1 << 10}[shape == "compressed"] })
			name, shard := tenant(b, l, 1, pulsar.BrokerTime)
			n := 100_000
			if shape == "single" {
				n = 20_000
			}
			fillWith(b, c, l, shape, home(b, l, name, shard), n)
			b.ReportAllocs()
			b.SetBytes(200)
			read, spent := 0, time.Duration(0)
			for b.Loop() {
				r, err := l.Read(shard, messages.Position{})
				if err != nil {
					b.Fatal(err)
				}
				began := cpu()
				for left := n; left > 0; {
					records, err := r.Next(b.Context(), 1000)
					if err != nil {
						b.Fatal(err)
					}
					left -= len(records)
				}
				spent += cpu() - began
				read += n
				_ = r.Close()
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(read), "cpu-ns/record")
			b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// fillWith stores n records in one shape.
func fillWith(b *testing.B, c *pulsartest.Cluster, l *pulsar.Log, shape string, k messages.Key, n int) {
	b.Helper()
	payload := func(i int) []byte {
		return fmt.Appendf(nil, `{"dashboard":%q,"metric":"requests","value":%d,"time":"2024-05-01T12:00:%02d.%03dZ","labels":{"region":"eu-west-%d","host":"node-%04d","status":"%d"},"id":"evt-%012d"}`, k.Dashboard, i%1000, i%60, i%1000, i%4, i%500, 200+i%5, i)
	}
	switch shape {
	case "single":
		var work sync.WaitGroup
		for w := range 100 {
			work.Go(func() {
				for i := w; i < n; i += 100 {
					put(b, l, eventlog.Entry{Kind: messages.KindEvent, Key: k, Payload: payload(i)})
				}
			})
		}
		work.Wait()
	case "batched":
		cl, err := client.NewClient(client.ClientOptions{URL: c.BrokerURL, MetricsRegisterer: prometheus.NewRegistry(), Logger: log.NewLoggerWithSlog(slog.New(slog.DiscardHandler))})
		if err != nil {
			b.Fatal(err)
		}
		defer cl.Close()
		p, err := cl.CreateProducer(client.ProducerOptions{Topic: pulsar.EventsTopic(k.Tenant), BatchingMaxMessages: 500})
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			p.SendAsync(b.Context(), &client.ProducerMessage{Key: k.Dashboard, Payload: payload(i)}, func(client.MessageID, *client.ProducerMessage, error) {})
		}
		if err := p.FlushWithCtx(b.Context()); err != nil {
			b.Fatal(err)
		}
	default:
		const together = 500
		for i := 0; i < n; i += together {
			var entries []eventlog.Entry
			for j := range together {
				entries = append(entries, eventlog.Entry{Kind: messages.KindEvent, Key: k, Payload: payload(i + j)})
			}
			put(b, l, entries...)
		}
	}
}
