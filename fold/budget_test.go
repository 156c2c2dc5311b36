package fold_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// long returns an event whose metadata make a pattern expensive.
func long(at int64) event.Event {
	return event.Event{Time: at, Value: 1, Metadata: []byte(`{"t":"` + strings.Repeat("a,", event.MaxMetadataBytes/2-4) + `"}`)}
}

// filtered returns a definition with a panel for each filter.
func filtered(filters ...string) *definition.Definition {
	d := onePanel(tumbling10s, nil, "count")
	p := d.Panels[0]
	d.Panels = nil
	for i, f := range filters {
		p.ID, p.Filter = fmt.Sprintf("p%d", i), f
		d.Panels = append(d.Panels, p)
	}
	return d
}

// TestCostlyFilterIsNotEvaluated: the event is counted with its reason; other panels and other
// events are not affected, also after a restart.
func TestCostlyFilterIsNotEvaluated(t *testing.T) {
	const expensive = `metadata.t matches "(.*,){150}x"`
	d := feedOf(t, filtered(expensive, `value > 0`, `metric == "other" or `+expensive))
	d.event(long(1000))
	d.event(event.Event{Time: 1001, Value: 1, Metadata: []byte(`{"t":"a,b"}`)})
	check := func(c messages.Counters) {
		t.Helper()
		for id, want := range map[string]messages.PanelCounter{
			"p0": {Accepted: 2, Filtered: 2, FilteredReasons: messages.FilteredReasons{Cost: 1}},
			"p1": {Accepted: 2, Folded: 2},
			"p2": {Accepted: 2, Filtered: 2, FilteredReasons: messages.FilteredReasons{Cost: 1}},
		} {
			if got := c.Panels[id]; got != want {
				t.Errorf("panel %s: got %+v, want %+v", id, got, want)
			}
		}
	}
	check(d.Counters())
	again, err := fold.Decode(d.Append(nil), func(canonical []byte) (*fold.Program, error) { return d.Program(), nil })
	if err != nil {
		t.Fatal(err)
	}
	check(again.Counters())
}

// TestOneFilterHasABudgetOfItsOwn: it is less than what all filters together may cost.
func TestOneFilterHasABudgetOfItsOwn(t *testing.T) {
	const costly = `metadata.t matches "a,b,c,d,e,f,x"`
	e := long(1000)
	if f, err := definition.CompileFilter(costly); err != nil || f.Price(&e) <= definition.MaxFilterPrice || f.Price(&e) > definition.MaxEventPrice {
		t.Fatalf("the filter costs %d units (%v), want more than %d and at most %d", f.Price(&e), err, definition.MaxFilterPrice, definition.MaxEventPrice)
	}
	d := feedOf(t, filtered(costly))
	d.event(e)
	if got := d.Counters().Panels["p0"].FilteredReasons.Cost; got != 1 {
		t.Errorf("%d events were too costly, want 1", got)
	}
}

// TestFiltersShareABudget: each of the filters may be evaluated alone; together only as many are
// evaluated as fit into an event's budget.
func TestFiltersShareABudget(t *testing.T) {
	const costly = `metadata.t matches "a,b,c,x"`
	f, err := definition.CompileFilter(costly)
	if err != nil {
		t.Fatal(err)
	}
	e := long(1000)
	price := f.Price(&e)
	if price == 0 || price > definition.MaxFilterPrice {
		t.Fatalf("the filter costs %d units, want some and at most %d", price, definition.MaxFilterPrice)
	}
	filters := make([]string, 20)
	for i := range filters {
		filters[i] = costly
	}
	d := feedOf(t, filtered(filters...))
	d.event(e)
	tried := 0
	for _, c := range d.Counters().Panels {
		if c.FilteredReasons.Cost == 0 {
			tried++
		}
	}
	if want := int(definition.MaxEventPrice / price); tried != want {
		t.Errorf("%d filters were evaluated, want %d of %d units", tried, want, price)
	}
}

// TestPanesOfADashboardAreBounded: without a bound every event could touch tens of thousands of
// windows.
func TestPanesOfADashboardAreBounded(t *testing.T) {
	d := filtered("", "", "", "", "", "")
	for i := range d.Panels {
		d.Panels[i].Window = definition.Window{Kind: definition.Hopping, Size: 1000 * time.Second, Every: time.Second}
	}
	_, err := fold.Compile(d, fold.Builtin())
	if want := `panel "p5": 6000 panes`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	d.Panels = d.Panels[:5]
	if _, err := fold.Compile(d, fold.Builtin()); err != nil {
		t.Errorf("5000 panes: %v", err)
	}
}
