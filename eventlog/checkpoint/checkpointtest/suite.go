// Package checkpointtest is the test suite of every checkpoint.Store.
package checkpointtest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// Subject is a kind of store.
type Subject struct {
	// Open opens an empty store. The suite closes it.
	Open func(t *testing.T) checkpoint.Store
	// Reopen closes the store and opens it again on the same data.
	Reopen func(t *testing.T, s checkpoint.Store) checkpoint.Store
	// Standby says that its checkpoints release nothing.
	Standby bool
}

// Run runs the contract of checkpoint.Store over the subject.
func Run(t *testing.T, s Subject) {
	for name, test := range map[string]func(*testing.T, *bench){
		"empty":               testEmpty,
		"slots in turn":       testSlots,
		"uncommitted":         testUncommitted,
		"again":               testAgain,
		"carry over":          testCarryOver,
		"aborted":             testAborted,
		"remove":              testRemove,
		"list":                testList,
		"shards are separate": testShards,
		"refusals":            testRefusals,
		"nothing is kept":     testCopies,
		"list while writes":   testListWhileWriting,
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{T: t, subject: s, store: s.Open(t)}
			defer func() { b.check(b.store.Close()) }()
			test(t, b)
		})
	}
}

// bench is a store under test with methods that fail the test.
type bench struct {
	*testing.T
	subject Subject
	store   checkpoint.Store
}

func (b *bench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) reopen() {
	b.Helper()
	b.store = b.subject.Reopen(b.T, b.store)
}

func at(n uint64) messages.Position { return messages.Position{Lo: n} }

func dashboard(name string) messages.Key {
	return messages.Key{Tenant: messages.DefaultTenant, Dashboard: name}
}

func entry(name string, position uint64) checkpoint.Entry {
	return checkpoint.Entry{
		Key:      dashboard(name),
		Position: at(position),
		Summary:  fmt.Appendf(nil, "summary of %s at %d", name, position),
		State:    fmt.Appendf(nil, "state of %s at %d", name, position),
	}
}

// write commits one checkpoint of shard 0: put are entries, again are names.
func (b *bench) write(position uint64, put []checkpoint.Entry, again ...string) (released messages.Position) {
	b.Helper()
	w, err := b.store.Begin(0)
	b.check(err)
	for _, e := range put {
		b.check(w.Put(e))
	}
	for _, name := range again {
		b.check(w.Again(dashboard(name)))
	}
	released, err = w.Commit(checkpoint.Marker{Position: at(position), State: fmt.Appendf(nil, "shard at %d", position)})
	b.check(err)
	if b.subject.Standby && !released.IsZero() {
		b.Fatalf("a standby's checkpoint at %d released %s", position, released)
	}
	return released
}

// want compares the stored entry with the expected one: its position, and Through.
func (b *bench) want(name string, position, through uint64) {
	b.Helper()
	e, err := b.store.Get(0, dashboard(name))
	b.check(err)
	w := entry(name, position)
	if e.Position != w.Position || !bytes.Equal(e.Summary, w.Summary) || !bytes.Equal(e.State, w.State) || e.Key != w.Key {
		b.Fatalf("got entry of %s at %s (summary %q, state %.80q), want %s at %s (state %q)", e.Key, e.Position, e.Summary, e.State, w.Key, w.Position, w.State)
	}
	if e.Through != at(through) || e.FellBack {
		b.Fatalf("%s: got through %s, fell back %v; want %d, false", name, e.Through, e.FellBack, through)
	}
}

func (b *bench) wantNone(name string) {
	b.Helper()
	if e, err := b.store.Get(0, dashboard(name)); !errors.Is(err, checkpoint.ErrNone) {
		b.Fatalf("get %s: got the one at %s, %v; want ErrNone", name, e.Position, err)
	}
}

func (b *bench) wantMarker(position uint64) {
	b.Helper()
	m, passedOver, err := b.store.Load(b.Context(), 0)
	b.check(errors.Join(passedOver, err))
	if want := fmt.Sprintf("shard at %d", position); m.Position != at(position) || string(m.State) != want {
		b.Fatalf("got marker %s %q, want %d %q", m.Position, m.State, position, want)
	}
}

func (b *bench) list(tenant, prefix, after string, limit int) (names []string) {
	b.Helper()
	b.check(b.store.List(0, tenant, prefix, after, func(e checkpoint.Entry) bool {
		names = append(names, e.Key.Dashboard+"="+string(e.Summary))
		if e.State != nil {
			b.Errorf("the listing of %s has a state", e.Key)
		}
		return len(names) < limit
	}))
	return names
}
