package actors

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// astray appends n events that lie in a partition which is not their home.
func (g *group) astray(n int) (partition int) {
	g.Helper()
	g.crowd.every = 0
	name := ""
	for i := 0; name == ""; i++ {
		if p, _ := g.log.PartitionOf(key(fmt.Sprint("s", i))); p != 0 {
			name = fmt.Sprint("s", i)
		}
	}
	var entries []eventlog.Entry
	for range n {
		e := event1(name, "m", 1)
		// As crooked would wrap it, in partition 0.
		e.Payload, e.Partition, e.Key = wrap(e.Key, e.Payload), 0, messages.Key{Tenant: "default"}
		entries = append(entries, e)
		if len(entries) == 500 {
			_, err := g.log.Log.Append(g.Context(), entries)
			g.check(err)
			entries = entries[:0]
		}
	}
	_, err := g.log.Log.Append(g.Context(), entries)
	if len(entries) > 0 {
		g.check(err)
	}
	p, _ := g.log.PartitionOf(key(name))
	return p
}

// While records can't be forwarded no checkpoint counts for others, what waits is bounded, and nothing is lost by that.
func TestForwardsThatFailHoldBackCheckpoints(t *testing.T) {
	g := newGroup(t, 1, 0, func(c *Config) { c.BatchRecords = 100 })
	m := g.hosts[0]
	for shard := range 4 {
		m.host.Load(shard)
		m.host.Own(shard, true)
	}
	g.append(event1("d", "m", 1))
	for shard := range 4 {
		g.untilFolded(m, shard)
	}
	g.log.fail(errors.New("down"))
	home := g.astray(3 * maxStrays)
	n := &node{T: t, host: m.host}
	s := n.shard(0)
	g.until("the reader stands", func() bool { return len(s.credit) == 0 && !s.waiting.Load() })
	before, err := m.store.Newest(t.Context(), 0)
	g.check(err)
	if waiting := int(g.counts(m, "dashfeed_forwards_waiting")); waiting < maxStrays || waiting > maxStrays+100 {
		t.Errorf("%d records wait, at most %d and a batch are allowed", waiting, maxStrays)
	}
	if got := g.counts(m, "dashfeed_forwarded_total"); got != 0 {
		t.Errorf("%v are forwarded", got)
	}
	g.log.fail(nil)
	g.untilAllAreHome(3*maxStrays + 1)
	if got := g.counts(m, "dashfeed_forwarded_total"); got != 3*maxStrays {
		t.Errorf("%v are forwarded", got)
	}
	g.until("a checkpoint that counts", func() bool {
		at, err := m.store.Newest(t.Context(), 0)
		g.check(err)
		return at.After(before)
	})
	g.untilFolded(m, home)
	if g.compare(m, 0, 1, 2, 3) == 0 {
		t.Error("nothing was compared")
	}
}

// Who does not own a shard forwards nothing, ticks nothing, and its checkpoints are its own.
func TestAStandbyActsNot(t *testing.T) {
	g := newGroup(t, 1, 0, func(c *Config) { c.CheckpointEvery = time.Millisecond })
	m := g.hosts[0]
	for shard := range 4 {
		m.host.Load(shard)
	}
	g.astray(10)
	for shard := range 4 {
		g.untilFolded(m, shard)
	}
	g.until("checkpoints", func() bool { return g.counts(m, "dashfeed_checkpoints_total") > 0 })
	at, err := m.store.Newest(t.Context(), 0)
	g.check(err)
	if !at.IsZero() || g.counts(m, "dashfeed_forwarded_total") != 0 {
		t.Errorf("a checkpoint at %s, %v forwarded", at, g.counts(m, "dashfeed_forwarded_total"))
	}
	m.host.Own(0, true) // takes over: what nobody has forwarded, it forwards
	g.untilAllAreHome(10)
	g.until("a checkpoint that counts", func() bool {
		at, err := m.store.Newest(t.Context(), 0)
		g.check(err)
		return !at.IsZero()
	})
}
