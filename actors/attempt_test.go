package actors

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/actors/crashes"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// waitingLog is a log that returns nothing until it is released, and counts the shards that read
// it.
type waitingLog struct {
	eventlog.Log
	reads atomic.Int32
	gate  chan struct{}
}

func (w *waitingLog) Read(partition int, after messages.Position) (eventlog.Reader, error) {
	w.reads.Add(1)
	<-w.gate
	return w.Log.Read(partition, after)
}

// If one shard has to be read with care, another shard that was working on records at the last of
// these crashes does not read at the same time: it may be the one that ends the process.
func TestWhoMayBeToBlameReadsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "crashes")
		open := func() *crashes.File {
			f, err := crashes.Open(path, func(n int) (string, error) { return fmt.Sprint(n), nil })
			must(t, err)
			return f
		}
		span := crashes.Span{Through: messages.Position{Lo: 2}}
		first := open()
		first.Shard(0).At(span, false)
		second := open() // the previous process was not told to end
		second.Shard(0).At(span, false)
		second.Shard(1).At(span, false)
		third := open()
		defer func() { must(t, errors.Join(first.Close(), second.Close(), third.Close())) }()

		log := &waitingLog{gate: make(chan struct{})}
		n := &node{T: t, fs: vfs.NewMem(), change: func(c *Config) { log.Log, c.Log, c.Crashes = c.Log, log, third }}
		n.open()
		for p := range 2 {
			dashboard := ""
			for i := 0; dashboard == "" || n.home(dashboard) != p; i++ {
				dashboard = fmt.Sprint("d", i)
			}
			for range 4 {
				n.append(event1(dashboard, "m", 1))
			}
		}
		n.launch()
		t.Cleanup(func() { n.stop(context.Background()) })
		time.Sleep(2 * time.Second)
		if got := log.reads.Load(); got != 1 {
			t.Errorf("%d shards read", got)
		}
		close(log.gate)
		time.Sleep(2 * time.Second)
		if n.claimed(0) != messages.Live || n.claimed(1) != messages.Live {
			t.Errorf("claims %v", n.host.Claims())
		}
	})
}
