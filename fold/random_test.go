package fold_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
)

// everyWindow returns a definition with every kind of window and every aggregate.
func everyWindow(by definition.DedupeBy, tie definition.Tie) *definition.Definition {
	all := []string{"count", "sum", "min", "max", "avg", "first", "last", "delta", "rate", "rate:count", "increase", "stddev", "p50", "p99"}
	d := definition.Default("default")
	d.Time = definition.Time{Bound: 2 * time.Second, Idle: 7 * time.Second, MaxFuture: time.Minute, Lateness: 15 * time.Second}
	d.Dedupe = definition.Dedupe{By: by, Horizon: 20 * time.Second}
	d.Tie = tie
	panel := func(id string, w definition.Window, keep int, by ...string) definition.Panel {
		return definition.Panel{ID: id, Window: w, Keep: keep, GroupBy: by, Aggregates: all, MaxGroups: 3}
	}
	d.Panels = []definition.Panel{
		panel("tumbling", definition.Window{Kind: definition.Tumbling, Size: 5 * time.Second}, 4, "labels.k"),
		panel("hopping", definition.Window{Kind: definition.Hopping, Size: 15 * time.Second, Every: 6 * time.Second}, 3, "labels.k", "metric"),
		panel("session", definition.Window{Kind: definition.Session, Size: 2 * time.Second}, 5, "labels.k"),
		panel("count", definition.Window{Kind: definition.Count, N: 3}, 2, "labels.k"),
		panel("newest", definition.Window{Kind: definition.Latest}, 1, "labels.k"),
		panel("filtered", definition.Window{Kind: definition.Tumbling, Size: time.Second}, 10),
	}
	d.Panels[4].Aggregates = nil
	d.Panels[5].Filter = "value > 0"
	return d
}

// randomEvent returns one event of a stream that is out of order, late, duplicated and has few
// keys.
func randomEvent(r *rand.Rand, now int64) event.Event {
	e := event.Event{
		ID: fmt.Sprintf("e%d", r.IntN(2000)), Metric: fmt.Sprintf("m%d", r.IntN(3)), Value: float64(r.IntN(200)-100) / 7,
		Time: now - int64(r.ExpFloat64()*3000), Producer: fmt.Sprintf("p%d", r.IntN(3)), Sequence: uint64(r.IntN(3000)), HasSequence: true,
	}
	switch r.IntN(40) {
	case 0:
		e.Time = now - r.Int64N(60_000)
	case 1:
		e.Time = now + r.Int64N(100_000)
	case 2:
		e.TimeStatus = event.Missing
	case 3:
		e.ValueStatus = event.Type
	case 4:
		e.ID = ""
	case 5:
		e.Metadata = []byte(`{"unit":"ms"}`)
	}
	if k := r.IntN(6); k > 0 {
		e.Labels = []event.Label{{Name: "k", Value: fmt.Sprintf("k%d", k)}}
	}
	return e
}

// TestStateIsCanonical folds the same random log twice: once directly, once with restarts, reads
// and Advances at random. The states are equal, and a holder that applied every update holds the
// same cells.
func TestStateIsCanonical(t *testing.T) {
	for _, by := range []definition.DedupeBy{definition.ByID, definition.ByProducer, definition.ByNone} {
		for _, tie := range []definition.Tie{definition.TieOrder, definition.TieID} {
			t.Run(fmt.Sprintf("%s-%s", by, tie), func(t *testing.T) {
				for seed := range uint64(3) {
					sameState(t, everyWindow(by, tie), seed)
				}
			})
		}
	}
}

func sameState(t *testing.T, def *definition.Definition, seed uint64) {
	t.Helper()
	p, err := fold.Compile(def, fold.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 1))
	k := messages.Key{Tenant: "default", Dashboard: "d"}
	straight, other := fold.New(k, "local", p), fold.New(k, "local", p)
	var mirror cells.Set
	now := int64(1_000_000)
	for n := range uint64(1500) {
		now += int64(r.ExpFloat64() * 200)
		if r.IntN(100) == 0 {
			now += r.Int64N(40_000)
		}
		e := randomEvent(r, now)
		at := fold.At{Position: messages.Position{Lo: n + 1}, LogTime: now, Append: now - r.Int64N(50)}
		straight.Event(at, &e)
		switch r.IntN(12) {
		case 0:
			other = decoded(t, other)
		case 1:
			other.Advance(now)
		case 2:
			u, ok := other.Since(mirror.Version())
			if !ok {
				u, _ = other.Since(0)
			}
			if err := mirror.Apply(u); err != nil {
				t.Fatal(err)
			}
		}
		other.Event(at, &e)
		if n%500 == 0 {
			compareStates(t, straight, other)
		}
	}
	now += 100_000
	straight.Advance(now)
	other.Advance(now - 95_000)
	other.Advance(now)
	compareStates(t, straight, other)
	u, ok := other.Since(mirror.Version())
	if !ok {
		u, _ = other.Since(0)
	}
	if err := mirror.Apply(u); err != nil {
		t.Fatal(err)
	}
	whole, _ := straight.Since(0)
	if got, want := fmt.Sprint(mirror.Cells()), fmt.Sprint(whole.Cells); got != want {
		t.Fatalf("seed %d: the mirror holds\n%s\nthe fold\n%s", seed, got, want)
	}
	identities(t, straight)
}

func decoded(t *testing.T, d *fold.Dashboard) *fold.Dashboard {
	t.Helper()
	p := d.Program()
	again, err := fold.Decode(d.Append(nil), func([]byte) (*fold.Program, error) { return p, nil })
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func compareStates(t *testing.T, a, b *fold.Dashboard) {
	t.Helper()
	if a.Version() != b.Version() || string(a.Append(nil)) != string(b.Append(nil)) {
		ua, _ := a.Since(0)
		ub, _ := b.Since(0)
		t.Fatalf("states differ at versions %d and %d:\n%+v\n%+v", a.Version(), b.Version(), ua, ub)
	}
}

// identities checks those of S18.
func identities(t *testing.T, d *fold.Dashboard) {
	t.Helper()
	c := d.Counters()
	if c.Records != c.Accepted+c.Invalid+c.Future+c.Duplicates {
		t.Errorf("records: %+v", c)
	}
	for id, p := range c.Panels {
		if p.Accepted != c.Accepted || p.Accepted != p.Filtered+p.LateDropped+p.Folded {
			t.Errorf("panel %s: %+v of %d accepted", id, p, c.Accepted)
		}
	}
}
