package embedded_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// entriesOf returns n events of 200 B over 50 dashboards; half of their bytes do not compress.
func entriesOf(n int) []eventlog.Entry {
	rng := rand.New(rand.NewPCG(1, 2))
	entries := make([]eventlog.Entry, n)
	for i := range entries {
		payload := fmt.Appendf(nil, `{"dashboard":"d%d","metric":"latency","value":%.3f,"time":%d,"id":"%016x","labels":{"host":"`, i%50, rng.Float64()*100, 1767225600000+i*7, rng.Uint64())
		for len(payload) < 197 {
			payload = fmt.Appendf(payload, "%x", rng.Uint32())
		}
		entries[i] = eventlog.Entry{
			Kind:    messages.KindEvent,
			Key:     messages.Key{Tenant: "default", Dashboard: fmt.Sprintf("d%d", i%50)},
			Payload: append(payload[:197], `"}}`...),
		}
	}
	return entries
}

func openBench(b *testing.B) *embedded.Log {
	c := embedded.Default(b.TempDir())
	c.Retention.Every = 0
	l, err := embedded.Open(c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	return l
}

// BenchmarkAppendPaced appends 2,000 single records a second, each synced, and reports the latency.
func BenchmarkAppendPaced(b *testing.B) {
	l := openBench(b)
	entries := entriesOf(1000)
	var took []time.Duration
	tick := time.NewTicker(time.Second / 2000)
	defer tick.Stop()
	i := 0
	for b.Loop() {
		<-tick.C
		begin := time.Now()
		if _, err := l.Append(context.Background(), entries[i%1000:i%1000+1]); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
		i++
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
}

// BenchmarkAppendBatch appends batches of 500 from one caller, each synced.
func BenchmarkAppendBatch(b *testing.B) {
	l := openBench(b)
	entries := entriesOf(500)
	b.ReportAllocs()
	begin := cpu()
	for b.Loop() {
		if _, err := l.Append(context.Background(), entries); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu()-begin).Nanoseconds())/float64(500*b.N), "cpu-ns/record")
	b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkAppendBatchParallel appends batches of 500 from eight callers.
func BenchmarkAppendBatchParallel(b *testing.B) {
	l := openBench(b)
	entries := entriesOf(500)
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Append(context.Background(), entries); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkRead reads a million stored records, 1,000 at a time, over and over.
func BenchmarkRead(b *testing.B) {
	const stored = 1_000_000
	l := openBench(b)
	entries := entriesOf(500)
	for range stored / len(entries) {
		if _, err := l.Append(context.Background(), entries); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	read := 0
	if err := l.Settle(); err != nil {
		b.Fatal(err)
	}
	begin := cpu()
	partition, reader := -1, eventlog.Reader(nil)
	var last, at messages.Position
	for b.Loop() {
		for at == last {
			partition = (partition + 1) % l.Partitions()
			var err error
			if reader, err = l.Read(partition, messages.Position{}); err != nil {
				b.Fatal(err)
			}
			last, _ = l.Last(context.Background(), partition)
			at = messages.Position{}
		}
		records, err := reader.Next(context.Background(), 1000)
		if err != nil {
			b.Fatal(err)
		}
		read += len(records)
		at = records[len(records)-1].Position
	}
	b.ReportMetric(float64((cpu()-begin).Nanoseconds())/float64(read), "cpu-ns/record")
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "records/s")
}

// cpu returns the CPU time of this process, including the kernel's: on a shared machine it tells
// more than the clock.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
