package fold_test

import (
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/aggregate"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// explosive returns a table with an aggregate that panics at 13.
func explosive() fold.Table {
	boom := aggregate.Base{
		Name: "boom", Words: 0,
		Add: func(_ uint64, _ []uint64, value float64, _ int64, _ uint64) {
			if value == 13 {
				panic("13")
			}
		},
		Merge: func(uint64, []uint64, uint64, []uint64) {},
	}
	return append(fold.Builtin(), aggregate.Aggregate{
		Word: "boom", Bases: func(aggregate.Options) []aggregate.Base { return []aggregate.Base{boom} },
		Append: func(b []byte, _ *aggregate.Values) []byte { return cells.AppendNull(b) },
	})
}

// TestShardSetsAside: a record that makes the fold panic is set aside, whether it is the first, in
// the middle or after a saved state, and every other record counts once.
func TestShardSetsAside(t *testing.T) {
	s := fold.NewShard("local", explosive())
	k := messages.Key{Tenant: "default", Dashboard: "d"}
	def := onePanel(tumbling10s, nil, "count", "sum")
	def.Dashboard = "d"
	def.Dedupe.By = definition.ByNone
	def.Panels = append(def.Panels, def.Panels[0])
	def.Panels[1].ID, def.Panels[1].Aggregates = "q", []string{"count", "boom"}
	records := 0
	put := func(kind messages.Kind, payload []byte) {
		records++
		s.Fold(messages.Record{Position: messages.Position{Lo: uint64(records)}, Append: 1000, Kind: kind, Key: k, Payload: payload})
	}
	put(messages.KindDefinition, definition.Record{Revision: 1, Region: "local", Definition: def}.Append(nil))
	bad := map[int]bool{0: true, 5: true, 254: true, 255: true, 256: true, 600: true}
	for i := range 700 {
		value := 1
		if bad[i] {
			value = 13
		}
		put(messages.KindEvent, fmt.Appendf(nil, `{"dashboard":"d","metric":"m","time":1000,"value":%d}`, value))
	}
	put(messages.KindEvent, []byte(`{"dashboard":"d"`))
	d := s.Dashboard(k)
	c := d.Counters()
	if c.SetAside != 6 || c.Accepted != 694 || c.InvalidReasons["malformed"] != 1 || d.Version() != uint64(records) {
		t.Errorf("version %d, counters %+v", d.Version(), c)
	}
	u, _ := d.Since(0)
	for _, cell := range u.Cells {
		if got := rowText(cell.Row); cell.Panel < 2 && got != []string{"694 694", "694 null"}[cell.Panel] {
			t.Errorf("panel %d: %s", cell.Panel, got)
		}
	}
	if r := d.Refused(); len(r) != 7 || r[0].Reason != "panic" || r[0].Metric != "m" || r[0].Position != "2" {
		t.Errorf("refused %+v", r)
	}
}

// TestShardState: log time never falls; new dashboards of a tenant take its default, existing ones
// keep theirs.
func TestShardState(t *testing.T) {
	s := fold.NewShard("local", fold.Builtin())
	n := uint64(0)
	put := func(kind messages.Kind, k messages.Key, appended int64, payload string) {
		n++
		s.Fold(messages.Record{Position: messages.Position{Lo: n}, Append: appended, Kind: kind, Key: k, Payload: []byte(payload)})
	}
	old, young := messages.Key{Tenant: "acme", Dashboard: "old"}, messages.Key{Tenant: "acme", Dashboard: "young"}
	put(messages.KindEvent, old, 5000, `{"dashboard":"old","metric":"m","value":1}`)
	def := onePanel(tumbling10s, nil, "count")
	def.Tenant, def.Title = "acme", "ours"
	put(messages.KindDefinition, messages.Key{Tenant: "acme"}, 4000, string(definition.Record{Revision: 2, Region: "local", Definition: def}.Append(nil)))
	put(messages.KindDefinition, messages.Key{Tenant: "acme"}, 4000, string(definition.Record{Revision: 1, Region: "local"}.Append(nil)))
	put(messages.KindEvent, young, 4500, `{"dashboard":"young","metric":"m","value":1}`)
	put(messages.KindTick, messages.Key{}, 100_000, "")
	if got := s.Dashboard(young).Program().Definition().Title; got != "ours" {
		t.Errorf("a new dashboard folds by %q", got)
	}
	if got := s.Dashboard(old).Program().Definition().Title; got != "" {
		t.Errorf("an old dashboard folds by %q", got)
	}
	// L is 5000, M 4500, the window ends at 10000
	if got := s.Dashboard(young).Time(); got != 5000+10_000+5500 {
		t.Errorf("the young dashboard's window became final at %d", got)
	}
	if got := fmt.Sprint(s.Keys()); got != "[acme/old acme/young]" {
		t.Errorf("keys %s", got)
	}
	b := s.State().Append(nil)
	again, err := fold.DecodeShardState(b, fold.Builtin())
	if err != nil || string(again.Append(nil)) != string(b) || again.LogTime() != 100_000 || again.Default("acme").Hash() != def.Hash() {
		t.Errorf("restarted: %v, log time %d", err, again.LogTime())
	}
	for cut := range b {
		if _, err := fold.DecodeShardState(b[:cut], fold.Builtin()); err == nil {
			t.Errorf("cut at %d: understood", cut)
		}
	}
}
