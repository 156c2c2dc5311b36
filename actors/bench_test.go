package actors

import (
	"fmt"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// BenchmarkReplay reads and folds a log that is there already: JSON bytes on disk to folded state, default definition.
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

// BenchmarkAppendToViewer is the way of one event on a quiet node: appended, with fsync, folded, delivered.
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

// idle reports whether all that was read is folded.
func (h *Host) idle() bool {
	for _, s := range h.held() {
		if s.lag() > 0 {
			return false
		}
	}
	return true
}
