package actors

import (
	"fmt"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// BenchmarkReplay reads and folds an existing log, from JSON bytes on disk to folded state, with
// the default definition.
func BenchmarkReplay(b *testing.B) {
	h, metrics := newDiskHost(b)
	entries := make([]eventlog.Entry, 0, 1000)
	for i := range b.N {
		name := fmt.Sprint("d", i%50)
		entries = append(entries, eventlog.Entry{Kind: messages.KindEvent, Key: key(name), Payload: fmt.Appendf(nil,
			`{"id":"e-%d","dashboard":%q,"metric":"latency","value":%d.5,"time":%d,"labels":{"country":"DE"}}`, i, name, i%1000, at+i)})
		if len(entries) == cap(entries) || i == b.N-1 {
			_, err := h.config.Log.Append(b.Context(), entries)
			check(b, err)
			entries = entries[:0]
		}
	}
	until(b, "folded", func() bool { return gather(b, metrics, "dashfeed_records_total") == float64(b.N) && h.idle() })
	again, err := New(Config{
		Log: h.config.Log, Checkpoints: emptyStore(b), Region: "local", Table: h.config.Table, Logger: h.config.Logger,
		CheckpointEvery: time.Hour, SleepAfter: time.Hour, MaxAwakePerShard: 1000, Batches: 4, BatchRecords: 512, BatchBytes: 1 << 20,
	})
	check(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	check(b, again.Start(b.Context()))
	again.OwnAll()
	for again.Ready() != nil || !again.idle() {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	check(b, again.Stop(b.Context()))
}

// BenchmarkAppendToViewer takes one event through an idle node: it is appended with fsync, folded
// and delivered.
func BenchmarkAppendToViewer(b *testing.B) {
	h, _ := newDiskHost(b)
	got := make(viewerFunc, 1)
	sub, err := h.Subscribe(key("d"), got)
	check(b, err)
	defer sub.Close()
	var epoch messages.Epoch
	var version uint64
	for b.Loop() {
		sub.Ask(feed.Place{Epoch: epoch, Version: version})
		_, err := h.config.Log.Append(b.Context(), []eventlog.Entry{event1("d", "m", 1)})
		check(b, err)
		u := <-got
		epoch, version = u.Epoch, u.To
	}
}

type viewerFunc chan *feed.Update

func (v viewerFunc) Deliver(u *feed.Update) { v <- u }

// idle reports whether everything read is folded.
func (h *Host) idle() bool {
	for _, s := range h.held() {
		if s.lag() > 0 {
			return false
		}
	}
	return true
}

// BenchmarkLoad loads a shard of 50,000 dashboards from a checkpoint in a local store, with a
// hundred viewers that have asked. It measures the time until the shard claims to be live, and
// until the last viewer is answered.
//
//	go test ./actors -run '^$' -bench Load$ -benchtime 5x
func BenchmarkLoad(b *testing.B) {
	const dashboards, viewers, shard = 50_000, 100, 0
	h, metrics := newDiskHost(b)
	var names []string
	for i := 0; len(names) < dashboards; i++ {
		name := fmt.Sprint("dashboard-", i)
		if p, _ := h.config.Log.PartitionOf(key(name)); p == shard {
			names = append(names, name)
		}
	}
	for begin := 0; begin < dashboards; begin += 1000 {
		var entries []eventlog.Entry
		for _, name := range names[begin : begin+1000] {
			entries = append(entries, event1(name, "m", 1), event1(name, "m", 2))
		}
		_, err := h.config.Log.Append(b.Context(), entries)
		check(b, err)
	}
	until(b, "folded", func() bool { return gather(b, metrics, "dashfeed_records_total") == 2*dashboards && h.idle() })
	until(b, "saved", func() bool { return gather(b, metrics, "dashfeed_checkpoint_pending") == 0 })
	var live, answered time.Duration
	for b.Loop() {
		h.Drop(shard)
		for h.isAssigned(shard) {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		_, err := h.config.Log.Append(b.Context(), []eventlog.Entry{event1(names[0], "m", 1)})
		check(b, err)
		b.StartTimer()
		began := time.Now()
		h.Load(shard)
		h.Own(shard, true)
		got := make(viewerFunc, viewers)
		for i := range viewers {
			sub, err := h.Subscribe(key(names[i]), got)
			check(b, err)
			sub.Ask(feed.Place{})
			defer sub.Close()
		}
		for h.Claims()[0].State != messages.Live {
			time.Sleep(100 * time.Microsecond)
		}
		live += time.Since(began)
		for range viewers {
			<-got
		}
		answered += time.Since(began)
	}
	b.ReportMetric(float64(live.Milliseconds())/float64(b.N), "ms-to-live")
	b.ReportMetric(float64(answered.Milliseconds())/float64(b.N), "ms-to-answers")
}

// isAssigned reports whether anything of the shard is still here.
func (h *Host) isAssigned(number int) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.assignments[number] != nil
}
