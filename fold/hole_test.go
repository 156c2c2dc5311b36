package fold_test

import (
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// A dashboard that sleeps through holes equals one that was awake, and a node that continues behind
// another hole is in another epoch.
func TestHoles(t *testing.T) {
	at := func(n uint64) fold.At {
		return fold.At{Position: messages.Position{Lo: n}, LogTime: int64(1000 * n), Append: int64(1000 * n)}
	}
	state := func(holes ...uint64) *fold.ShardState {
		s := fold.NewShardState(fold.Builtin())
		for i := 0; i < len(holes); i += 2 {
			s.ObserveMisrouted(messages.Record{Append: int64(1000 * holes[i])})
			if err := s.Skip(at(holes[i]).Position, at(holes[i+1]).Position); err != nil {
				t.Fatal(err)
			}
		}
		b := s.Append(nil)
		again, err := fold.DecodeShardState(b, fold.Builtin())
		if err != nil || string(again.Append(nil)) != string(b) || len(again.Holes()) != len(holes)/2 {
			t.Fatalf("the state with holes %v is not understood: %v", holes, err)
		}
		return again
	}
	p, k := fold.NewShardState(fold.Builtin()).Default("default"), messages.Key{Tenant: "default", Dashboard: "d"}
	put := func(d *fold.Dashboard, n uint64) {
		d.Event(at(n), &event.Event{Metric: "m", Time: int64(1000 * n), Value: 1})
	}
	one, two := state(3, 8), state(3, 8, 20, 30)

	awake := fold.New(k, "local", p)
	awake.Skip(nil)
	put(awake, 2)
	before := awake.Epoch()
	asleep, err := fold.Decode(awake.Append(nil), compileAs(p))
	if err != nil {
		t.Fatal(err)
	}
	awake.Skip(one.Holes())
	if awake.Epoch() == before || awake.Counters().Accepted != 1 {
		t.Errorf("epoch %s, before %s", awake.Epoch(), before)
	}
	if _, ok := awake.Since(1); ok {
		t.Error("a version of before the hole is answered")
	}
	awake, err = fold.Decode(awake.Append(nil), compileAs(p))
	if err != nil {
		t.Fatal(err)
	}
	awake.Skip(one.Holes())
	awake.Advance(20_000)
	awake.Skip(two.Holes())
	asleep.Skip(two.Holes())
	if string(awake.Append(nil)) != string(asleep.Append(nil)) {
		t.Errorf("awake: version %d epoch %s, asleep: %d %s", awake.Version(), awake.Epoch(), asleep.Version(), asleep.Epoch())
	}
	other := fold.New(k, "local", p)
	put(other, 2)
	other.Skip(state(3, 9).Holes())
	asleep, _ = fold.Decode(other.Append(nil), compileAs(p))
	young := fold.New(k, "local", p)
	young.Skip(two.Holes())
	put(young, 31)
	if other.Epoch() == awake.Epoch() || young.Version() != 1 || asleep.Epoch() != other.Epoch() {
		t.Errorf("other epoch %s, young version %d", other.Epoch(), young.Version())
	}
	v := young.Version()
	if young.Skip(two.Holes()); young.Version() != v {
		t.Error("a dashboard created behind the holes passes them")
	}
	if err := two.Skip(messages.Position{Lo: 5}, messages.Position{Lo: 5}); err == nil {
		t.Error("a hole of no length is taken")
	}
	for range fold.MaxHoles {
		err = two.Skip(messages.Position{Lo: 5}, messages.Position{Lo: 6})
	}
	if err == nil {
		t.Error("holes have no bound")
	}
}

// Two nodes that lost different records of one log are never in the same epoch again, whatever
// records follow: a version of one must never be mistaken for a version of the other.
func TestDivergedHistoriesStayApart(t *testing.T) {
	at := func(n uint64) fold.At {
		return fold.At{Position: messages.Position{Lo: n}, LogTime: int64(1000 * n), Append: int64(1000 * n)}
	}
	k := messages.Key{Tenant: "default", Dashboard: "d"}
	state := fold.NewShardState(fold.Builtin())
	p := state.Default("default")
	state.ObserveMisrouted(messages.Record{Append: 2000})
	if err := state.Skip(at(2).Position, at(4).Position); err != nil {
		t.Fatal(err)
	}
	after := func(lost bool, records ...uint64) *fold.Dashboard {
		d := fold.New(k, "local", p)
		for _, n := range records {
			d.Event(at(n), &event.Event{Metric: "m", Time: int64(1000 * n), Value: float64(n)})
		}
		if lost {
			d.Skip(state.Holes())
		}
		return d
	}
	events := map[string]*fold.Dashboard{
		"lost nothing":                  after(false, 1, 2, 3),
		"lost 3":                        after(true, 1, 2),
		"had 3 ahead of its checkpoint": after(true, 1, 2, 3),
		"created behind":                after(true),
		"created before, lost nothing":  after(false, 2, 3),
		"created later, lost nothing":   after(false),
	}
	breaks := map[string]func(*fold.Dashboard){
		"a hole":             func(*fold.Dashboard) {},
		"a first record":     func(d *fold.Dashboard) { d.Event(at(4), &event.Event{Metric: "m", Time: 4000, Value: 4}) },
		"a definition":       func(d *fold.Dashboard) { d.Define(at(5), definition.Record{Revision: 1}, p) },
		"a record set aside": func(d *fold.Dashboard) { d.SetAside(at(6), "m") },
	}
	for _, what := range []string{"a hole", "a first record", "a definition", "a record set aside"} {
		seen := map[messages.Epoch]string{}
		for name, d := range events {
			breaks[what](d)
			if other, there := seen[d.Epoch()]; there && d.Epoch() != 0 {
				t.Errorf("behind %s: %q and %q are both in epoch %s", what, name, other, d.Epoch())
			}
			seen[d.Epoch()] = name
		}
	}
}
