package actors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	logs "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// misplaced appends n events to a partition that is not their home.
func (g *group) misplaced(n int) (partition int) {
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
		// Like crooked, wrap it and put it into partition 0.
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

// athome appends an event to the home partition of its dashboard.
func (g *group) athome(partition int) {
	g.Helper()
	for i := 0; ; i++ {
		if name := fmt.Sprint("h", i); (&node{T: g.T, log: g.crowd.Log.(*logs.Log)}).home(name) == partition {
			g.append(event1(name, "m", 1))
			return
		}
	}
}

// While records cannot be forwarded, no checkpoint counts for other hosts, the number of waiting
// records is bounded, and nothing is lost.
func TestForwardsThatFailHoldBackCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, 1, 0, func(c *Config) { c.BatchRecords, c.CheckpointEvery = 100, time.Second })
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
		before, err := g.log.Last(t.Context(), 0)
		g.check(err)
		home := g.misplaced(3 * maxMisrouted)
		time.Sleep(10 * time.Second)
		g.noNewer(m, 0, before)
		s := (&node{T: t, host: m.host}).shard(0)
		if len(s.credit) > 0 || s.waiting.Load() {
			t.Error("the reader goes on")
		}
		if n := int(g.counts(m, "dashfeed_forwards_waiting")); n < maxMisrouted || n > maxMisrouted+100 {
			t.Errorf("%d records wait, %d and at most a batch are meant", n, maxMisrouted)
		}
		if got := g.counts(m, "dashfeed_forwarded_total"); got != 0 {
			t.Errorf("%v are forwarded", got)
		}
		g.log.fail(nil)
		time.Sleep(20 * time.Second)
		g.untilAllAreHome(3*maxMisrouted + 1)
		if got := g.counts(m, "dashfeed_forwarded_total"); got != 3*maxMisrouted {
			t.Errorf("%v are forwarded", got)
		}
		if at, err := m.store.Newest(t.Context(), 0); err != nil || !at.After(before) {
			t.Errorf("the newest checkpoint that counts is at %s, %v", at, err)
		}
		g.untilFolded(m, home)
		if g.compare(m, 0, 1, 2, 3) == 0 {
			t.Error("nothing was compared")
		}
	})
}

// noNewer fails if a checkpoint that others read lies beyond the position.
func (g *group) noNewer(m *member, shard int, than messages.Position) {
	g.Helper()
	at, err := m.store.Newest(g.Context(), shard)
	g.check(err)
	if at.After(than) {
		g.Errorf("a checkpoint at %s counts for others, but what lies behind %s is not forwarded", at, than)
	}
}

// A checkpoint waits for its forwards: those of a shard that leads already, and those that a new
// leader finds.
func TestACheckpointWaitsForItsForwards(t *testing.T) {
	for name, late := range map[string]bool{"that leads": false, "that begins to lead": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroup(t, 1, 0, everySecond)
				m := g.hosts[0]
				for shard := range 4 {
					m.host.Load(shard)
					m.host.Own(shard, !late)
					g.untilFolded(m, shard)
				}
				g.log.fail(errors.New("down"))
				before, err := g.log.Last(t.Context(), 0)
				g.check(err)
				g.misplaced(10)
				time.Sleep(10 * time.Second)
				m.host.Own(0, true)
				time.Sleep(time.Second)
				g.athome(0) // a change for the next checkpoint
				time.Sleep(10 * time.Second)
				g.noNewer(m, 0, before)
				g.log.fail(nil)
				time.Sleep(30 * time.Second)
				if at, err := m.store.Newest(t.Context(), 0); err != nil || !at.After(before) {
					t.Errorf("the newest checkpoint that counts is at %s, %v", at, err)
				}
				if got := g.counts(m, "dashfeed_forwarded_total"); got != 10 {
					t.Errorf("%v are forwarded", got)
				}
			})
		})
	}
}

// A host that does not own a shard does not forward or tick, and its checkpoints do not count for
// others.
func TestAStandbyActsNot(t *testing.T) {
	g := newGroup(t, 1, 0, func(c *Config) { c.CheckpointEvery = time.Millisecond })
	m := g.hosts[0]
	for shard := range 4 {
		m.host.Load(shard)
	}
	g.misplaced(10)
	for shard := range 4 {
		g.untilFolded(m, shard)
	}
	g.until("checkpoints", func() bool { return g.counts(m, "dashfeed_checkpoints_total") > 0 })
	at, err := m.store.Newest(t.Context(), 0)
	g.check(err)
	if !at.IsZero() || g.counts(m, "dashfeed_forwarded_total") != 0 {
		t.Errorf("a checkpoint at %s, %v forwarded", at, g.counts(m, "dashfeed_forwarded_total"))
	}
	m.host.Own(0, true) // the new owner forwards what nobody has forwarded
	g.untilAllAreHome(10)
	g.until("a checkpoint that counts", func() bool {
		at, err := m.store.Newest(t.Context(), 0)
		g.check(err)
		return !at.IsZero()
	})
}

// A record that was skipped when it came is skipped in a replay, too: one that was forwarded twice,
// and one whose home is elsewhere.
func TestForwardedTwiceCountsOnceInAReplay(t *testing.T) {
	g := newGroup(t, 1, 0, func(c *Config) { c.CheckpointEvery = time.Hour })
	m := g.hosts[0]
	home, err := g.log.PartitionOf(key("d"))
	g.check(err)
	m.host.Load(home)
	forwarded := func(position uint64, value float64) eventlog.Entry {
		e := event1("d", "m", value)
		e.Origin = messages.Origin{Partition: (home + 1) % 4, Position: messages.Position{Lo: position}}
		return e
	}
	g.append((&node{T: t}).define("d", 1, boomPanels), forwarded(1, 1), forwarded(2, 2), forwarded(1, 1))
	// A forwarded record whose home is another partition: nobody takes it, and it tells nothing
	// about the records behind it.
	misrouted := event1("s", "m", 1)
	for i := 0; ; i++ {
		if p, _ := g.log.PartitionOf(key(fmt.Sprint("s", i))); p != home {
			misrouted = event1(fmt.Sprint("s", i), "m", 1)
			break
		}
	}
	misrouted.Payload, err = json.Marshal(envelope{misrouted.Key, messages.Origin{Partition: (home + 1) % 4, Position: messages.Position{Lo: 9}}, misrouted.Payload})
	g.check(err)
	misrouted.Partition, misrouted.Key = home, messages.Key{Tenant: "default"}
	_, err = g.log.Log.Append(t.Context(), []eventlog.Entry{misrouted})
	g.check(err)
	g.append(forwarded(3, 3), event1("d", "m", poison))
	g.untilFolded(m, home)
	if g.compare(m, home) != 1 {
		t.Error("nothing was compared")
	}
}

// A dashboard whose newest entry is corrupt is folded again from the checkpoint before. That
// checkpoint knows which forwarded records it contains, so a second copy of one does not count.
func TestForwardedTwiceCountsOnceBehindACorruptEntry(t *testing.T) {
	g := newGroup(t, 1, 0, func(c *Config) { c.CheckpointEvery = time.Hour })
	m := g.hosts[0]
	home, err := g.log.PartitionOf(key("d"))
	g.check(err)
	forwarded := func(position uint64, value float64) eventlog.Entry {
		e := event1("d", "m", value)
		e.Origin = messages.Origin{Partition: (home + 1) % 4, Position: messages.Position{Lo: position}}
		return e
	}
	life := func(entries ...eventlog.Entry) { // with a checkpoint at its end
		g.append(entries...)
		m.host.Load(home)
		g.untilFolded(m, home)
		g.stop(m, t.Context())
	}
	life(forwarded(1, 1), forwarded(2, 2))
	g.start(m)
	life(forwarded(2, 2), event1("d", "m", 3), forwarded(3, 4))
	if n := (&node{T: t, fs: m.fs}).damageIn("/scratch", bodies, slot(0)); n != 1 {
		t.Fatalf("%d entries were damaged", n)
	}
	g.start(m)
	g.append(event1("d", "m", 5))
	m.host.Load(home)
	g.untilFolded(m, home)
	if got := g.counts(m, "dashfeed_checkpoints_corrupt_total"); got == 0 {
		t.Error("nothing was found corrupt")
	}
	if g.compare(m, home) != 1 {
		t.Error("nothing was compared")
	}
}

// A record that no log accepts is dropped. It delays neither the records that came with it nor the
// checkpoints, while the shard leads and when it begins to lead.
func TestForwardsThatAreNeverTaken(t *testing.T) {
	for _, late := range []bool{false, true} {
		g := newGroup(t, 1, 0, nil)
		m := g.hosts[0]
		for shard := range 4 {
			m.host.Load(shard)
			m.host.Own(shard, !late || shard != 0)
			g.untilFolded(m, shard)
		}
		name := ""
		for i := 0; name == ""; i++ {
			if p, _ := g.log.PartitionOf(key(fmt.Sprint("s", i))); p != 0 {
				name = fmt.Sprint("s", i)
			}
		}
		// With an origin in its envelope, the large record is longer than the log accepts.
		bare := func(e eventlog.Entry) []byte {
			b, err := json.Marshal(struct {
				Key     messages.Key
				Payload []byte
			}{e.Key, e.Payload})
			g.check(err)
			return b
		}
		small, large := event1(name, "m", 1), event1(name, "m", 1)
		large.Payload = append(large.Payload, bytes.Repeat([]byte(" "), (eventlog.MaxRecordBytes-len(bare(large)))/4*3)...)
		var entries []eventlog.Entry
		for _, e := range []eventlog.Entry{small, large, small, small, large, small} {
			entries = append(entries, eventlog.Entry{Kind: e.Kind, Payload: bare(e), Key: messages.Key{Tenant: "default"}})
		}
		receipts, err := g.log.Log.Append(t.Context(), entries)
		g.check(err)
		m.host.Own(0, true)
		g.untilAllAreHome(4)
		g.until("a checkpoint that counts", func() bool {
			at, err := m.store.Newest(t.Context(), 0)
			return err == nil && !receipts[5].Position.After(at)
		})
		if got := g.counts(m, "dashfeed_unroutable_total"); got != 2 {
			t.Errorf("late %v: %v are passed over, want 2", late, got)
		}
	}
}
