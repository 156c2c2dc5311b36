package checkpointtest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

func testForget(_ *testing.T, m *meeting) {
	a, b := m.leading("a"), m.node("b")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9)})
	b.wantMarker(10)
	b.check(b.shared.Forget(0))
	b.wantNone("x")
	if names := b.list(messages.DefaultTenant, "", "", 9); names != nil {
		m.Errorf("listed %q after Forget", names)
	}
	b.wantMarker(10)
	b.want("x", 9, 10)
	a.check(a.shared.Forget(0)) // releases it, too
	b.shared.Lead(0, true)
	b.published(10, 20, nil)
	a.wantMarker(20)
	a.want("x", 9, 20)
}

func testScratchNewer(_ *testing.T, m *meeting) {
	a, b := m.leading("a"), m.node("b")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9)})
	b.wantMarker(10)
	b.published(0, 15, []checkpoint.Entry{entry("x", 14)})
	b.stop()
	b = m.node("b")
	b.want("x", 14, 15) // before it is loaded
	b.wantMarker(15)
	b.want("x", 14, 15)
	b.wantMarker(15)
}

func testScratchOlder(_ *testing.T, m *meeting) {
	a, b := m.leading("a"), m.node("b")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9)})
	b.wantMarker(10)
	b.published(0, 15, []checkpoint.Entry{entry("y", 14)})
	b.stop()
	a.published(10, 20, []checkpoint.Entry{entry("x", 19), entry("y", 14)})
	for range 2 {
		b = m.node("b")
		b.wantMarker(20)
		b.want("x", 19, 20)
		b.want("y", 14, 20)
		b.stop()
	}
}

func testMany(_ *testing.T, m *meeting) {
	const many = 3000
	a := m.leading("a")
	var entries []checkpoint.Entry
	for i := range many {
		entries = append(entries, entry(fmt.Sprintf("d%05d", i), uint64(i+1)))
	}
	a.published(0, many, entries)
	for i := range entries {
		if i%3 == 0 {
			entries[i] = entry(entries[i].Key.Dashboard, uint64(many+i+1))
		}
	}
	var changed []checkpoint.Entry
	var again []string
	for i, e := range entries {
		if i%3 == 0 {
			changed = append(changed, e)
		} else {
			again = append(again, e.Key.Dashboard)
		}
	}
	a.published(many, 2*many, changed, again...)
	b := m.node("b")
	b.wantMarker(2 * many)
	for _, e := range entries {
		b.want(e.Key.Dashboard, e.Position.Lo, max(2*many, e.Position.Lo))
	}
	if got := len(b.list(messages.DefaultTenant, "d", "", many+1)); got != many {
		m.Errorf("listed %d dashboards, want %d", got, many)
	}
}

// testLarge: entries larger than a broker's message, growing and shrinking.
func testLarge(_ *testing.T, m *meeting) {
	large := func(name string, position uint64, size int) checkpoint.Entry {
		e := entry(name, position)
		e.State = make([]byte, size)
		x := position
		for i := range e.State { // so that it does not compress
			x = x*6364136223846793005 + 1442695040888963407
			e.State[i] = byte(x >> 56)
		}
		return e
	}
	a := m.leading("a")
	const mib = 1 << 20
	var last checkpoint.Entry
	for round, size := range []int{100, 12 * mib, 7 * mib, 200, 6 * mib} {
		position := uint64(10 * (round + 1))
		last = large("x", position, size)
		a.write(position, []checkpoint.Entry{last, entry("y", position)})
		b := m.node("b")
		b.wantMarker(position)
		if e, err := b.shared.Get(0, last.Key); err != nil || !bytes.Equal(e.State, last.State) {
			m.Fatalf("entry of %d bytes: got %d bytes, %v", size, len(e.State), err)
		}
		b.want("y", position, position)
		if round%2 == 0 {
			b.stop()
		}
	}
}

func testSharedShards(_ *testing.T, m *meeting) {
	a, b := m.leading("a"), m.node("b")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9)})
	b.shared.Lead(1, true)
	w, err := b.shared.Begin(1)
	b.check(err)
	b.check(w.Put(entry("x", 77)))
	_, err = w.Commit(checkpoint.Marker{Position: at(80)})
	b.check(err)
	b.wantMarker(10)
	b.want("x", 9, 10)
	marker, _, err := a.shared.Load(m.Context(), 1)
	if err != nil || marker.Position != at(80) {
		m.Fatalf("shard 1: got marker %s, %v; want 80", marker.Position, err)
	}
	if e, err := a.shared.Get(1, dashboard("x")); err != nil || e.Position != at(77) {
		m.Errorf("shard 1: got %+v, %v; want position 77", e, err)
	}
	if _, _, err := a.shared.Load(m.Context(), 2); !errors.Is(err, checkpoint.ErrNone) {
		m.Errorf("shard 2: got %v, want ErrNone", err)
	}
}

// testSamePosition: log time alone changes a state, at the same position of its last record.
func testSamePosition(_ *testing.T, m *meeting) {
	a, b := m.leading("a"), m.node("b")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9), entry("y", 9)})
	a.published(10, 20, nil, "x", "y")
	b.wantMarker(20)
	ripe := entry("x", 9)
	ripe.State = []byte("the window is final")
	b.published(0, 25, []checkpoint.Entry{ripe})
	a.shared.Lead(0, false)
	b.shared.Lead(0, true)
	b.published(20, 30, nil, "x")
	b.published(30, 40, nil)
	b.published(40, 50, nil)
	b.stop()
	for position := uint64(50); position >= 40; position -= 10 {
		c := m.node("c")
		marker, _, err := c.shared.Load(m.Context(), 0)
		if err != nil || marker.Position != at(position) {
			m.Fatalf("got marker %s, %v; want %d", marker.Position, err, position)
		}
		if e, err := c.shared.Get(0, dashboard("x")); err != nil || !bytes.Equal(e.State, ripe.State) {
			m.Fatalf("checkpoint at %d: got %q, %v; want %q", position, e.State, err, ripe.State)
		}
		c.check(c.shared.Forget(0))
		m.place.Damage(m.T, 0)
	}
}

func testBack(_ *testing.T, m *meeting) {
	a, b := m.leading("a"), m.node("b")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9), entry("y", 8)})
	a.shared.Lead(0, false)
	b.wantMarker(10)
	b.shared.Lead(0, true)
	b.published(10, 20, []checkpoint.Entry{entry("x", 19)})
	b.published(20, 30, []checkpoint.Entry{entry("y", 29)}, "x")
	b.shared.Lead(0, false)
	a.published(0, 34, []checkpoint.Entry{entry("x", 19), entry("y", 29)})
	a.shared.Lead(0, true)
	a.published(30, 40, nil, "x", "y")
	c := m.node("c")
	c.wantMarker(40)
	c.want("x", 19, 40)
	c.want("y", 29, 40)
}
