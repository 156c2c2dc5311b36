package remote_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote"
)

// BenchmarkLatency measures the time from a record folded at the owner to the update at the
// gateway's viewer, over the real link on loopback: 5,000 records a second over 50 dashboards.
// cpu-us/record covers both ends, the link and the making of the records.
func BenchmarkLatency(b *testing.B) {
	for _, f := range []struct{ answers, asks time.Duration }{{1, 1}, {5, 5}} {
		b.Run(fmt.Sprintf("answers=%dms,asks=%dms", f.answers, f.asks), func(b *testing.B) {
			benchmarkLatency(b, f.answers*time.Millisecond, f.asks*time.Millisecond)
		})
	}
}

func benchmarkLatency(b *testing.B, answers, asks time.Duration) {
	listen := func(name string) *link.Link {
		l, err := link.Listen(link.Config{Node: name, Bind: "127.0.0.1:0", Logger: quiet})
		must(b, err)
		b.Cleanup(func() { _ = l.Close() })
		return l
	}
	node, gate := listen("n"), listen("g")
	const boards = 50
	o := newOwner(&history{})
	server, err := remote.NewServer(remote.ServerConfig{Flush: answers, Feed: o, Link: node})
	must(b, err)
	b.Cleanup(server.Close)
	client, err := remote.NewClient(remote.ClientConfig{Flush: asks, Directory: &directory{sources: []link.Peer{node.Self()}}, Link: gate})
	must(b, err)
	b.Cleanup(client.Close)
	for _, l := range []*link.Link{node, gate} {
		must(b, l.Start())
	}
	folded := make([]time.Time, 1<<22)
	var views []*clocked
	for i := range boards {
		views = append(views, follow(b, client, i, folded))
	}
	time.Sleep(time.Second)
	began, busy := time.Now(), cpu(b)
	n := 0
	for b.Loop() {
		o.history.append(record{key: key(n % boards), seed: uint64(n)})
		n++
		folded[n] = time.Now() // positions count from 1
		o.fold(1)
		time.Sleep(time.Until(began.Add(time.Duration(n) * 200 * time.Microsecond)))
	}
	busy = cpu(b) - busy
	time.Sleep(200 * time.Millisecond)
	var all []time.Duration
	for _, v := range views {
		all = append(all, v.close()...)
	}
	slices.Sort(all)
	if len(all) == 0 {
		b.Fatal("no update came")
	}
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-us")
	b.ReportMetric(float64(len(all))/float64(n), "updates/record")
	b.ReportMetric(float64(busy.Microseconds())/float64(n), "cpu-us/record")
}

// cpu returns the CPU time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// clocked is a viewer that records the age of the newest record in an update.
type clocked struct {
	inbox chan *feed.Update
	done  chan struct{}
	ended chan []time.Duration
}

func (v *clocked) Deliver(u *feed.Update) { v.inbox <- u }

func (v *clocked) close() []time.Duration {
	close(v.done)
	return <-v.ended
}

func follow(b *testing.B, f feed.Feed, i int, folded []time.Time) *clocked {
	v := &clocked{inbox: make(chan *feed.Update, 1), done: make(chan struct{}), ended: make(chan []time.Duration, 1)}
	k := key(0)
	k.Dashboard = fmt.Sprintf("board-%02d", i)
	sub, err := f.Subscribe(k, v)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		var late []time.Duration
		var at feed.Place
		sub.Ask(at)
		asked := time.Now()
		for {
			select {
			case <-v.done:
				sub.Close()
				v.ended <- late
				return
			case u := <-v.inbox:
				if at = u.At(); u.Position.Lo > 0 {
					late = append(late, time.Since(folded[u.Position.Lo]))
				}
				time.Sleep(time.Until(asked.Add(5 * time.Millisecond))) // a gateway's flush
				sub.Ask(at)
				asked = time.Now()
			}
		}
	}()
	return v
}
