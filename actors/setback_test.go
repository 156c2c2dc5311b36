package actors

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog"
	logs "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// setBack stops the member and gives all hosts another log, which has only the first n records of
// one shard and none of the others.
func (g *group) setBack(m *member, shard, n int) {
	g.Helper()
	g.stop(m, g.Context())
	lc := logs.Default("/log")
	lc.Partitions, lc.Storage.FS, lc.Storage.Logger = 4, vfs.NewMem(), slog.New(slog.DiscardHandler)
	log, err := logs.Open(lc)
	g.check(err)
	g.Cleanup(func() { _ = log.Close() })
	r, err := g.log.Log.Read(shard, messages.Position{})
	g.check(err)
	records, err := r.Next(g.Context(), n)
	g.check(err)
	for _, one := range records {
		_, err := log.Append(g.Context(), []eventlog.Entry{{Kind: one.Kind, Key: one.Key, Partition: shard, Payload: one.Payload}})
		g.check(err)
	}
	g.check(r.Close())
	g.log.Log, g.crowd.Log = log, log
	g.start(m)
}

// The log was set back behind what only the scratch store of this host has. Accepting this drops
// the scratch state and continues from the checkpoint of all hosts, as a new epoch, since viewers
// may have seen what does not exist any more.
func TestALogSetBack(t *testing.T) {
	g := newGroup(t, 1, 0, nil)
	m := g.hosts[0]
	shard, err := g.log.PartitionOf(key("d"))
	g.check(err)
	add := func(n int) {
		for range n {
			g.append(event1("d", "m", 1))
		}
	}
	read := func() feed.Reading {
		t.Helper()
		g.untilFolded(m, shard)
		r, err := m.host.Read(t.Context(), key("d"), feed.Query{})
		g.check(err)
		return r
	}
	m.host.Load(shard)
	m.host.Own(shard, true)
	add(10)
	g.untilFolded(m, shard)
	g.until("published", func() bool {
		at, err := m.store.Newest(t.Context(), shard)
		g.check(err)
		return at.Lo == 10
	})
	m.host.Own(shard, false)
	add(10)
	epoch := read().Epoch

	g.setBack(m, shard, 12)
	m.host.Load(shard)
	g.until("standing still", func() bool {
		err := m.host.Troubles()
		return errors.Is(err, eventlog.ErrAhead) && strings.Contains(err.Error(), "accept the loss")
	})
	g.check(m.host.AcceptLoss(t.Context(), shard))
	g.untilFolded(m, shard)
	m.host.Own(shard, true)
	add(3)
	r := read()
	if r.Counters.Accepted != 15 || r.Epoch == epoch {
		t.Errorf("%d events are counted, want 15; epoch %s, before %s", r.Counters.Accepted, r.Epoch, epoch)
	}
	g.stop(m, t.Context())
	g.start(m)
	m.host.Load(shard)
	if again := read(); again.Epoch != r.Epoch || again.To != r.To {
		t.Errorf("after a restart epoch %s version %d, before %s %d", again.Epoch, again.To, r.Epoch, r.To)
	}
}
