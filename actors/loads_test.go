package actors

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	logs "github.com/dashfeed/dashfeed/eventlog/embedded"
)

// held is a store that returns no checkpoint until it is released.
type held struct {
	checkpoint.Store
	under, most atomic.Int32
	gate        chan struct{}
}

func (h *held) Load(ctx context.Context, shard int) (checkpoint.Marker, error, error) {
	n := h.under.Add(1)
	defer h.under.Add(-1)
	for most := h.most.Load(); n > most && !h.most.CompareAndSwap(most, n); most = h.most.Load() {
	}
	<-h.gate
	return h.Store.Load(ctx, shard)
}

// However many shards are to be loaded, only a few load at the same time.
func TestLoadsAreBounded(t *testing.T) {
	store := &held{gate: make(chan struct{})}
	n := &node{T: t, fs: vfs.NewMem()}
	n.change = func(c *Config) { store.Store, c.Checkpoints = c.Checkpoints, store }
	n.open()
	n.check(n.log.Close())
	lc := logs.Default("/many")
	lc.Partitions, lc.Storage.FS = 5*loadsAtOnce, n.fs
	var err error
	n.log, err = logs.Open(lc)
	n.check(err)
	n.launch()
	t.Cleanup(func() { n.stop(context.Background()) })
	release := sync.OnceFunc(func() { close(store.gate) })
	t.Cleanup(release)
	n.until("as many as may load", func() bool { return store.under.Load() == loadsAtOnce })
	release()
	n.until("ready", func() bool { return n.host.Ready() == nil })
	if most := store.most.Load(); most != loadsAtOnce {
		t.Errorf("%d loaded at once, at most %d may", most, loadsAtOnce)
	}
}
