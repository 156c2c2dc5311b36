package fold_test

import (
	"bytes"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// TestCopiedDefinitionsChangeNothing: a definition record that is not greater than the one in
// force, by (revision, region, hash), is only a step, even with reset; the same definition with a
// greater revision resets again.
func TestCopiedDefinitionsChangeNothing(t *testing.T) {
	f := feedOf(t, onePanel(tumbling10s, nil, "count"))
	define := func(r definition.Record) (broke bool) {
		t.Helper()
		f.n++
		before := f.Epoch()
		f.Define(fold.At{Position: messages.Position{Lo: f.n}, LogTime: 1000, Append: 1000}, r, compile(r.Definition))
		return f.Epoch() != before
	}
	reset := func(revision uint64, region, title string) definition.Record {
		d := onePanel(tumbling10s, nil, "count")
		d.Reset, d.Title = true, title
		return definition.Record{Revision: revision, Region: region, Definition: d}
	}
	first, second := reset(5, "east", "a"), reset(5, "east", "b")
	if first.Order().After(second.Order()) {
		first, second = second, first
	}
	if !define(first) {
		t.Fatal("the first definition is not taken")
	}
	f.event(event.Event{Time: 1000, Value: 1})
	for what, r := range map[string]definition.Record{
		"the same": first, "a lower revision": reset(4, "west", "a"), "a lower region": reset(5, "aachen", "a"),
	} {
		if v := f.Version(); define(r) || f.Version() != v+1 || f.Counters().Accepted != 1 {
			t.Errorf("%s record: version %d after %d, %d accepted", what, f.Version(), v, f.Counters().Accepted)
		}
	}
	if !define(second) || f.Counters().Accepted != 0 {
		t.Error("a record of the same revision and region with a greater hash is not taken")
	}
	if define(first) {
		t.Error("a record of the same revision and region with a lower hash is taken")
	}
	f.event(event.Event{Time: 1000, Value: 1})
	again := second
	again.Revision++
	if !define(again) || f.Counters().Accepted != 0 {
		t.Error("the same definition under a greater revision does not reset again")
	}
	restartedDashboard := restarted(t, f.Dashboard)
	f.Dashboard = restartedDashboard
	if define(again) {
		t.Error("after a restart a copy is taken")
	}
}

// TestCopiedDefaultsChangeNothing: the same for a tenant's default.
func TestCopiedDefaultsChangeNothing(t *testing.T) {
	s := fold.NewShardState(fold.Builtin())
	n := uint64(0)
	observe := func(r definition.Record) *fold.Program {
		t.Helper()
		n++
		if _, err := s.Observe(messages.Record{
			Position: messages.Position{Lo: n}, Append: 1000, Kind: messages.KindDefinition, Key: messages.Key{Tenant: "acme"}, Payload: r.Append(nil),
		}); err != nil {
			t.Fatal(err)
		}
		state := s.Append(nil)
		again, err := fold.DecodeShardState(state, fold.Builtin())
		if err != nil || !bytes.Equal(again.Append(nil), state) {
			t.Fatalf("the shard's state is not read again: %v", err)
		}
		return s.Default("acme")
	}
	titled := func(revision uint64, title string) definition.Record {
		d := definition.Default("acme")
		d.Title = title
		return definition.Record{Revision: revision, Region: "east", Definition: d}
	}
	low, high := titled(5, "a"), titled(5, "b")
	if low.Order().After(high.Order()) {
		low, high = high, low
	}
	first := observe(low)
	if observe(low) != first {
		t.Error("a copy of the default's record is taken")
	}
	if second := observe(high); second == first || observe(low) != second || observe(titled(4, "z")) != second {
		t.Error("of two records of one revision not the greater hash holds")
	}
}
