package fold_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// randomState returns a dashboard after n random events.
func randomState(t testing.TB, def *definition.Definition, n int, seed uint64) *fold.Dashboard {
	f := feedOf(t, def)
	r := rand.New(rand.NewPCG(seed, 2))
	now := int64(1_000_000)
	for range n {
		now += int64(r.ExpFloat64() * 200)
		e := randomEvent(r, now)
		f.n++
		f.Event(fold.At{Position: messages.Position{Lo: f.n}, LogTime: now, Append: now}, &e)
	}
	return f.Dashboard
}

// TestDecodeCorrupt changes and cuts a state at many places: Decode refuses it or accepts it, and
// an accepted state can be folded further.
func TestDecodeCorrupt(t *testing.T) {
	def := everyWindow(definition.ByID, definition.TieID)
	for i := range def.Panels { // a small state, so that much of it is tried
		if def.Panels[i].Aggregates != nil {
			def.Panels[i].Aggregates = []string{"count", "first", "increase", "p50"}
		}
	}
	d := randomState(t, def, 60, 1)
	state, p := d.Append(nil), d.Program()
	for cut := 0; cut < len(state); cut += 7 {
		if _, err := fold.Decode(state[:cut], compileAs(p)); !errors.Is(err, fold.ErrCorrupt) {
			t.Fatalf("cut at %d of %d: %v", cut, len(state), err)
		}
	}
	r, understood := rand.New(rand.NewPCG(3, 4)), 0
	for at := int(r.Uint64N(5)); at < len(state); at += 5 {
		b := append([]byte(nil), state...)
		b[at] ^= byte(1 + r.IntN(255))
		understood += foldOn(t, b, p)
	}
	t.Logf("%d changed bytes of %d were understood", understood, len(state))
}

func compileAs(p *fold.Program) func([]byte) (*fold.Program, error) {
	return func([]byte) (*fold.Program, error) { return p, nil }
}

// foldOn decodes a state, which may be refused, and continues to fold.
func foldOn(t testing.TB, b []byte, p *fold.Program) (understood int) {
	d, err := fold.Decode(b, compileAs(p))
	if err != nil {
		return 0
	}
	r := rand.New(rand.NewPCG(5, 6))
	now := int64(1_010_000)
	for range 20 {
		now += 700
		e := randomEvent(r, now)
		d.Event(fold.At{Position: d.Position(), LogTime: now, Append: now}, &e)
	}
	d.Since(0)
	d.Append(nil)
	return 1
}

func FuzzDecode(f *testing.F) {
	defs := []*definition.Definition{everyWindow(definition.ByID, definition.TieOrder), everyWindow(definition.ByProducer, definition.TieID)}
	var programs []*fold.Program
	for i, def := range defs {
		d := randomState(f, def, 40, uint64(i))
		programs = append(programs, d.Program())
		f.Add(d.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range programs {
			if d, err := fold.Decode(b, compileAs(p)); err == nil {
				again, err := fold.Decode(d.Append(nil), compileAs(p))
				if err != nil || string(again.Append(nil)) != string(d.Append(nil)) {
					t.Fatalf("a state that was understood is not, written again: %v", err)
				}
			}
		}
	})
}

// TestEpochs: every break begins another epoch, the same one everywhere; versions continue.
func TestEpochs(t *testing.T) {
	f := feedOf(t, definition.Default("default"))
	if f.Epoch() != 0 || f.Version() != 0 {
		t.Fatalf("without a record: epoch %v, version %d", f.Epoch(), f.Version())
	}
	f.event(event.Event{Time: 1000, Value: 1})
	first := f.Epoch()
	f.event(event.Event{Time: 1000, Value: 1})
	if first == 0 || f.Epoch() != first {
		t.Errorf("epochs %v, %v", first, f.Epoch())
	}
	at := fold.At{Position: messages.Position{Lo: 3}, LogTime: 1000, Append: 1000}
	f.SetAside(at, "m")
	if f.Epoch() == first || f.Version() != 3 {
		t.Errorf("set aside: epoch %v, version %d", f.Epoch(), f.Version())
	}
	if _, ok := f.Since(2); ok {
		t.Error("a version of the epoch before is answered")
	}
	if r := f.Refused(); len(r) != 1 || r[0].Reason != "panic" || f.Counters().SetAside != 1 || f.Counters().Records != 2 {
		t.Errorf("refused %+v, counters %+v", r, f.Counters())
	}
	second := f.Epoch()
	def := onePanel(tumbling10s, nil, "count")
	p, err := fold.Compile(def, fold.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	at.Position.Lo = 4
	f.Define(at, definition.Record{Revision: 5, Region: "b", Definition: def}, p)
	if f.Epoch() == second || f.Version() != 4 {
		t.Errorf("defined: epoch %v, version %d", f.Epoch(), f.Version())
	}
	third := f.Epoch()
	for _, lower := range []definition.Record{{Revision: 4, Region: "z"}, {Revision: 5, Region: "a"}} {
		f.Define(at, lower, p)
	}
	if revision, region, isDefault := f.InForce(); f.Epoch() != third || f.Version() != 6 || revision != 5 || region != "b" || isDefault {
		t.Errorf("a lower revision: epoch %v, version %d, in force %d %s %v", f.Epoch(), f.Version(), revision, region, isDefault)
	}
}
