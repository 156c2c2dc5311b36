package checkpointtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// Nodes is a kind of shared store: one place, and the stores of the processes that read and write
// it.
type Nodes struct {
	// Place makes an empty place, which ends with the test.
	Place func(t *testing.T) Place
}

// Place is the place that the tested processes share.
type Place struct {
	// Start opens the store of the process with that name. After Close it may start again, with its
	// old scratch; the test ends after all are closed.
	Start func(t *testing.T, node string) checkpoint.Store
	// Damage makes the shard's newest checkpoint in the place corrupt. Nobody leads the shard then.
	Damage func(t *testing.T, shard int)
}

// RunShared runs the contract of checkpoint.Store, and over one process, leading and standing by,
// the contract of checkpoint.Store.
func RunShared(t *testing.T, n Nodes) {
	t.Run("as the leader", func(t *testing.T) { Run(t, n.subject(true)) })
	t.Run("as a standby", func(t *testing.T) { Run(t, n.subject(false)) })
	for name, test := range map[string]func(*testing.T, *meeting){
		"load by another":             testLoadByAnother,
		"a standby":                   testStandbyCommit,
		"takeover":                    testTakeover,
		"takeover of one slot":        testTakeoverOfChanged,
		"older never wins":            testOlderNeverWins,
		"a stale leader":              testStaleLeader,
		"newest":                      testNewest,
		"corrupt newest":              testCorruptNewest,
		"corrupt, then lead":          testCorruptThenLead,
		"forget":                      testForget,
		"the scratch is newer":        testScratchNewer,
		"the scratch is older":        testScratchOlder,
		"many dashboards":             testMany,
		"large entries":               testLarge,
		"shards are separate":         testSharedShards,
		"deadlines change it":         testSamePosition,
		"a leader leaves and returns": testBack,
	} {
		t.Run(name, func(t *testing.T) {
			m := &meeting{T: t, place: n.Place(t), nodes: map[string]*node{}}
			t.Cleanup(m.end)
			test(t, m)
		})
	}
}

// subject returns one process as a store.
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

// meeting is a tested place with the processes that were started.
type meeting struct {
	*testing.T
	place Place
	nodes map[string]*node
}

// node is one process: a bench whose store is shared.
type node struct {
	*bench
	shared checkpoint.Store
	m      *meeting
	name   string
}

// node starts the process unless it runs.
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

// leading starts the process unless it runs, loads shard 0 and leads it.
func (m *meeting) leading(name string) *node {
	m.Helper()
	n := m.node(name)
	if _, _, err := n.shared.Load(m.Context(), 0); err != nil && !errors.Is(err, checkpoint.ErrNone) {
		m.Fatal(err)
	}
	n.shared.Lead(0, true)
	return n
}

// published writes a checkpoint and compares the position that it released.
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

func testStandbyCommit(_ *testing.T, m *meeting) {
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
