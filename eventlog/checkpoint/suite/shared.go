package suite

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// Nodes is a kind of shared store: one place, and the stores of the processes that read and write it.
type Nodes struct {
	// Place makes an empty place, which ends with the test.
	Place func(t *testing.T) Place
}

// Place is where the processes under test meet.
type Place struct {
	// Start opens the store of the process of that name. After Close it may be started again, with the scratch that it left;
	// the test ends after all were closed.
	Start func(t *testing.T, node string) checkpoint.Shared
	// Damage makes the shard's newest checkpoint in the place one that is not whole. Nobody leads the shard then.
	Damage func(t *testing.T, shard int)
}

// RunShared holds the subject against the contract of checkpoint.Shared; one process of it, leading and standing by, against
// that of checkpoint.Store.
func RunShared(t *testing.T, n Nodes) {
	t.Run("leads", func(t *testing.T) { Run(t, n.subject(true)) })
	t.Run("stands by", func(t *testing.T) { Run(t, n.subject(false)) })
	for name, test := range map[string]func(*testing.T, *meeting){
		"load by another":           testLoadByAnother,
		"who does not lead":         testWhoDoesNotLead,
		"takeover":                  testTakeover,
		"takeover of one slot":      testTakeoverOfChanged,
		"older never wins":          testOlderNeverWins,
		"a stale leader":            testStaleLeader,
		"newest":                    testNewest,
		"corrupt newest":            testCorruptNewest,
		"corrupt, then lead":        testCorruptThenLead,
		"forget":                    testForget,
		"the scratch is newer":      testScratchNewer,
		"the scratch is older":      testScratchOlder,
		"many dashboards":           testMany,
		"large entries":             testLarge,
		"shards are apart":          testSharedShards,
		"deadlines change it":       testSamePosition,
		"a leader goes and is back": testBack,
	} {
		t.Run(name, func(t *testing.T) {
			m := &meeting{T: t, place: n.Place(t), nodes: map[string]*node{}}
			t.Cleanup(m.end)
			test(t, m)
		})
	}
}

// subject is one process as a store.
func (n Nodes) subject(lead bool) Subject {
	places := map[checkpoint.Store]Place{}
	start := func(t *testing.T, p Place) checkpoint.Store {
		s := p.Start(t, "a")
		s.Lead(0, lead)
		places[s] = p
		return s
	}
	return Subject{
		Standby: !lead,
		Open:    func(t *testing.T) checkpoint.Store { return start(t, n.Place(t)) },
		Reopen: func(t *testing.T, s checkpoint.Store) checkpoint.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return start(t, places[s])
		},
	}
}

// meeting is a place under test with the processes that were started.
type meeting struct {
	*testing.T
	place Place
	nodes map[string]*node
}

// node is one process: a bench whose store is shared.
type node struct {
	*bench
	shared checkpoint.Shared
	m      *meeting
	name   string
}

// node starts the process where it does not run.
func (m *meeting) node(name string) *node {
	m.Helper()
	if n := m.nodes[name]; n != nil {
		return n
	}
	store := m.place.Start(m.T, name)
	n := &node{bench: &bench{T: m.T, store: store}, shared: store, m: m, name: name}
	m.nodes[name] = n
	return n
}

// stop closes the process's store.
func (n *node) stop() {
	n.Helper()
	delete(n.m.nodes, n.name)
	n.check(n.shared.Close())
}

func (m *meeting) end() {
	for _, n := range m.nodes {
		if err := n.shared.Close(); err != nil {
			m.Error(err)
		}
	}
}

// leading starts the process where it does not run, loads shard 0 and leads it.
func (m *meeting) leading(name string) *node {
	m.Helper()
	n := m.node(name)
	if _, _, err := n.shared.Load(m.Context(), 0); err != nil && !errors.Is(err, checkpoint.ErrNone) {
		m.Fatal(err)
	}
	n.shared.Lead(0, true)
	return n
}

// published writes a checkpoint and holds what it released against what is wanted.
func (n *node) published(released, position uint64, put []checkpoint.Entry, again ...string) {
	n.Helper()
	if got := n.write(position, put, again...); got != at(released) {
		n.Fatalf("%s: checkpoint at %d released %s, want %d", n.name, position, got, released)
	}
}

func testLoadByAnother(_ *testing.T, m *meeting) {
	a := m.leading("a")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9), entry("y", 8)})
	b := m.node("b")
	b.wantMarker(10)
	b.want("x", 9, 10)
	b.want("y", 8, 10)
	b.wantNone("z")
	a.published(10, 20, []checkpoint.Entry{entry("x", 23)}, "y")
	b.want("x", 9, 10) // until it loads again
	b.wantMarker(20)
	b.want("x", 23, 23)
	b.want("y", 8, 20)
	a.published(20, 30, []checkpoint.Entry{entry("z", 25)}, "x")
	a.published(30, 40, nil, "z")
	c := m.node("c")
	c.wantMarker(40)
	c.want("x", 23, 40)
	c.want("y", 8, 40)
	c.want("z", 25, 40)
	want := []string{"x=summary of x at 23", "y=summary of y at 8", "z=summary of z at 25"}
	if got := c.list(messages.DefaultTenant, "", "", 9); fmt.Sprint(got) != fmt.Sprint(want) {
		m.Errorf("listed %q, want %q", got, want)
	}
}

func testWhoDoesNotLead(_ *testing.T, m *meeting) {
	a, b := m.node("a"), m.node("b")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9)})
	a.published(0, 20, nil, "x")
	a.want("x", 9, 20)
	if _, _, err := b.shared.Load(m.Context(), 0); !errors.Is(err, checkpoint.ErrNone) {
		m.Errorf("b loaded what a, which does not lead, committed: %v", err)
	}
	a.shared.Lead(0, true)
	a.published(0, 30, nil)
	a.shared.Lead(0, false)
	a.published(0, 40, nil)
	b.wantMarker(30)
	b.want("x", 9, 30)
}

// testTakeover: the new leader writes what the place lacks, also what its own host does not write now.
func testTakeover(_ *testing.T, m *meeting) {
	a := m.leading("a")
	a.published(0, 10, []checkpoint.Entry{entry("x", 9), entry("y", 8)})
	b := m.node("b")
	b.wantMarker(10)
	b.published(0, 12, []checkpoint.Entry{entry("y", 11), entry("z", 12)}) // a standby's
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
	m.place.Damage(m.T, 0) // and the one before has everything, too
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

// testTakeoverOfChanged: what only one of the two kept checkpoints has as it is now gets to the other too.
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
	b.published(0, 30, []checkpoint.Entry{entry("x", 29)}) // as new as what is there: nothing to say
	c := m.node("c")
	c.wantMarker(30)
	c.want("x", 29, 30)
	b.published(30, 35, nil, "x")
	c.wantMarker(35)
	c.want("x", 29, 35)
}

// testStaleLeader: two lead at the same time. Whichever of them gets through, what others load never goes back, is
// whole, and is not older than what anybody was told is released.
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
	a = m.node("a") // its own scratch is whole, and newer than what is whole there
	marker, _, err = a.shared.Load(m.Context(), 0)
	if err != nil || marker.Position != at(20) {
		m.Fatalf("got marker %s, %v; want 20, of its own", marker.Position, err)
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
	b.published(0, 15, []checkpoint.Entry{entry("x", 14)}) // 20 was found: not beyond it, whole or not
	b.published(10, 30, []checkpoint.Entry{entry("x", 29)})
	b.published(30, 40, nil, "x")
	c := m.node("c")
	c.wantMarker(40)
	c.want("x", 29, 40)
	c.want("y", 8, 40)
}

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
	a.check(a.shared.Forget(0)) // gives it up, too
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

// testLarge: entries beyond what a broker takes in one message, growing and shrinking.
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
