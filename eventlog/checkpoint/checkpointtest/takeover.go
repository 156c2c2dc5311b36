package checkpointtest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// testTakeover: the new leader writes what the place lacks, including dashboards that its host does
// not write now.
func testTakeover(_ *testing.T, m *meeting) {
	a := m.leading("a")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9), entry("y", 8)})
	b := m.node("b")
	b.wantMarker(10)
	b.published(0, 12, []checkpoint.Entry{entry("y", 11), entry("z", 12)}) // a standby's checkpoint
	b.published(0, 14, []checkpoint.Entry{entry("y", 13)}, "z")
	a.published(10, 20, []checkpoint.Entry{entry("y", 19), entry("z", 18)}, "x")
	a.shared.Lead(0, false)
	b.published(0, 24, []checkpoint.Entry{entry("y", 19), entry("z", 18)})
	b.published(0, 26, []checkpoint.Entry{entry("v", 25)}, "y", "z")
	b.shared.Lead(0, true)
	b.published(20, 30, nil, "v")
	b.published(30, 40, []checkpoint.Entry{entry("x", 39)})
	c := m.node("c")
	c.wantMarker(40)
	c.want("v", 25, 40)
	c.want("x", 39, 40)
	c.want("y", 19, 40)
	c.want("z", 18, 40)
	b.stop()
	m.place.Damage(m.T, 0) // the previous one has everything, too
	d := m.node("d")
	marker, passedOver, err := d.shared.Load(m.Context(), 0)
	if err != nil || passedOver == nil || marker.Position != at(30) {
		m.Fatalf("got marker %s, passed over %v, %v; want 30", marker.Position, passedOver, err)
	}
	d.want("v", 25, 30)
	d.want("x", 9, 30)
	d.want("y", 19, 30)
	d.want("z", 18, 30)
}

// testTakeoverOfChanged: a dashboard whose present state is in only one of the two kept checkpoints
// gets into the other too.
func testTakeoverOfChanged(_ *testing.T, m *meeting) {
	a := m.leading("a")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9), entry("y", 8)})
	a.published(10, 20, []checkpoint.Entry{entry("x", 19)}, "y")
	a.stop()
	b := m.leading("b")
	b.want("x", 19, 20)
	b.published(20, 30, nil)
	b.stop()
	c := m.leading("c")
	c.want("x", 19, 30)
	c.want("y", 8, 30)
	c.published(30, 40, nil)
	c.stop()
	d := m.node("d")
	d.wantMarker(40)
	d.want("x", 19, 40)
	d.want("y", 8, 40)
}

func testOlderNeverWins(_ *testing.T, m *meeting) {
	a, b := m.leading("a"), m.node("b")
	b.published(0, 5, []checkpoint.Entry{entry("x", 4)})
	a.published(0, 10, []checkpoint.Entry{entry("x", 9)})
	a.published(10, 30, []checkpoint.Entry{entry("x", 29)})
	a.shared.Lead(0, false)
	b.shared.Lead(0, true)
	b.published(0, 20, []checkpoint.Entry{entry("x", 19)})
	// as new as the place's newest: nothing to publish
	b.published(0, 30, []checkpoint.Entry{entry("x", 29)})
	c := m.node("c")
	c.wantMarker(30)
	c.want("x", 29, 30)
	b.published(30, 35, nil, "x")
	c.wantMarker(35)
	c.want("x", 29, 35)
}

// testStaleLeader: two processes lead at the same time. Whichever of them publishes, loads never go
// back, are whole, and are not older than any released position.
func testStaleLeader(_ *testing.T, m *meeting) {
	a, b, c := m.leading("a"), m.leading("b"), m.node("c")
	var released, loaded messages.Position
	for position := uint64(10); position < 100; position += 10 {
		for i, n := range []*node{a, b} {
			r := n.write(position+uint64(i)*(position/10%3)-3, []checkpoint.Entry{entry("x", position-5)})
			if r.After(released) {
				released = r
			}
		}
		marker, passedOver, err := c.shared.Load(m.Context(), 0)
		if err != nil || passedOver != nil {
			m.Fatalf("load: %v, passed over %v", err, passedOver)
		}
		if loaded.After(marker.Position) || released.After(marker.Position) {
			m.Fatalf("loaded the checkpoint at %s after the one at %s and with %s released", marker.Position, loaded, released)
		}
		loaded = marker.Position
		e, err := c.shared.Get(0, dashboard("x"))
		if err != nil || !bytes.Equal(e.State, entry("x", e.Position.Lo).State) || e.Through.Compare(loaded) < 0 {
			m.Fatalf("got %+v, %v", e, err)
		}
	}
	if loaded.Lo < 80 {
		m.Errorf("nobody published: the newest is at %s", loaded)
	}
}

func testCorruptNewest(_ *testing.T, m *meeting) {
	a := m.leading("a")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9), entry("y", 8)})
	a.published(10, 20, []checkpoint.Entry{entry("x", 19)}, "y")
	a.stop()
	m.place.Damage(m.T, 0)
	b := m.node("b")
	marker, passedOver, err := b.shared.Load(m.Context(), 0)
	if err != nil || marker.Position != at(10) || string(marker.State) != "shard at 10" || !errors.Is(passedOver, checkpoint.ErrCorrupt) {
		m.Fatalf("got marker %s %q, passed over %v, %v; want 10, ErrCorrupt", marker.Position, marker.State, passedOver, err)
	}
	b.want("x", 9, 10)
	b.want("y", 8, 10)
	a = m.node("a") // its own scratch is whole, and newer than the place's newest whole one
	marker, _, err = a.shared.Load(m.Context(), 0)
	if err != nil || marker.Position != at(20) {
		m.Fatalf("got marker %s, %v; want 20, of its own scratch", marker.Position, err)
	}
	a.want("x", 19, 20)
}

func testCorruptThenLead(_ *testing.T, m *meeting) {
	a := m.leading("a")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9), entry("y", 8)})
	a.published(10, 20, []checkpoint.Entry{entry("x", 19)}, "y")
	a.stop()
	m.place.Damage(m.T, 0)
	b := m.node("b")
	_, _, err := b.shared.Load(m.Context(), 0)
	b.check(err)
	b.shared.Lead(0, true)
	// 20 was found: 15 is not beyond it, whole or not
	b.published(0, 15, []checkpoint.Entry{entry("x", 14)})
	b.published(10, 30, []checkpoint.Entry{entry("x", 29)})
	b.published(30, 40, nil, "x")
	c := m.node("c")
	c.wantMarker(40)
	c.want("x", 29, 40)
	c.want("y", 8, 40)
}
