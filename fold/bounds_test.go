package fold_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
)

// fed is a dashboard that receives event by event.
type fed struct {
	*fold.Dashboard
	n uint64
}

func feedOf(t testing.TB, def *definition.Definition) *fed {
	t.Helper()
	p, err := fold.Compile(def, fold.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	return &fed{Dashboard: fold.New(messages.Key{Tenant: "default", Dashboard: "d"}, "local", p)}
}

// event folds an event whose record was appended at the event's time.
func (f *fed) event(e event.Event) {
	f.n++
	if e.Metric == "" {
		e.Metric = "m"
	}
	f.Event(fold.At{Position: messages.Position{Lo: f.n}, LogTime: e.Time, Append: e.Time}, &e)
}

func onePanel(w definition.Window, groupBy []string, aggregates ...string) *definition.Definition {
	d := definition.Default("default")
	d.Panels = []definition.Panel{{ID: "p", Window: w, Keep: 60, GroupBy: groupBy, Aggregates: aggregates, MaxGroups: definition.MaxMaxGroups}}
	return d
}

var tumbling10s = definition.Window{Kind: definition.Tumbling, Size: 10 * time.Second}

func labelled(k string, at int64) event.Event {
	return event.Event{Time: at, Value: 1, Labels: []event.Label{{Name: "k", Value: k}}}
}

func TestBoundOfCells(t *testing.T) {
	windows := map[string]definition.Window{
		"tumbling": tumbling10s,
		"hopping":  {Kind: definition.Hopping, Size: 20 * time.Second, Every: 10 * time.Second},
		"session":  {Kind: definition.Session, Size: 10 * time.Second},
		"count":    {Kind: definition.Count, N: 10},
		"latest":   {Kind: definition.Latest},
	}
	for name, w := range windows {
		t.Run(name, func(t *testing.T) {
			f := feedOf(t, onePanel(w, []string{"labels.k"}, "count"))
			const extra = 100
			for i := range fold.MaxCells + extra {
				f.event(labelled(fmt.Sprint(i), 1000))
			}
			u, _ := f.Since(0)
			own, overflow, events := 0, 0, int64(0)
			for _, c := range u.Cells {
				if c.Group == cells.Overflow {
					overflow++
				} else {
					own++
				}
				if c.Panel == 0 && c.End != 10_000 { // count only one of the two hopping windows
					values, _ := c.Row.Values()
					events += values[0].Int
				}
			}
			if own != fold.MaxCells || overflow == 0 || overflow > 10+extra {
				t.Errorf("%d cells and %d overflow rows, want %d and some", own, overflow, fold.MaxCells)
			}
			if name != "tumbling" && events != fold.MaxCells+extra {
				t.Errorf("the cells hold %d events, want all %d", events, fold.MaxCells+extra)
			}
			if c := f.Counters().Panels["p"]; c.Folded != fold.MaxCells+extra || c.Overflowed == 0 {
				t.Errorf("counters %+v", c)
			}
			if o := f.Schema()[0].Overflow; o == nil || o.Groups < extra {
				t.Errorf("schema says of overflow %+v", o)
			}
			u, _ = decoded(t, f.Dashboard).Since(0)
			if len(u.Cells) != own+overflow {
				t.Errorf("%d cells after a restart, want %d", len(u.Cells), own+overflow)
			}
		})
	}
}

// TestOverflowEstimate goes beyond the number of keys that are counted exactly.
func TestOverflowEstimate(t *testing.T) {
	def := onePanel(tumbling10s, []string{"labels.k"}, "count")
	def.Panels[0].MaxGroups = 1
	f := feedOf(t, def)
	for _, keys := range []int{1000, 20_000} {
		for i := range keys + 1 {
			f.event(labelled(fmt.Sprint(i), 1000))
		}
		got := f.Schema()[0].Overflow.Groups
		if most := int64(keys) * 3 / 100; got < int64(keys)-most || got > int64(keys)+most || keys == 1000 && got != 1000 {
			t.Errorf("%d keys overflowed, the estimate is %d", keys, got)
		}
		if again := decoded(t, f.Dashboard); again.Schema()[0].Overflow.Groups != got || string(again.Append(nil)) != string(f.Append(nil)) {
			t.Errorf("the estimate of %d keys changes by a restart", keys)
		}
	}
}

func TestBoundOfMetrics(t *testing.T) {
	for name, def := range map[string]*definition.Definition{
		"hidden": onePanel(tumbling10s, nil, "count"), "visible": definition.Default("default"),
	} {
		t.Run(name, func(t *testing.T) {
			f := feedOf(t, def)
			for i := range fold.MaxMetrics + 7 {
				f.event(event.Event{Metric: fmt.Sprint("m", i), Time: 1000, Value: 1})
			}
			u, _ := f.Since(0)
			n := 0
			for _, c := range u.Cells {
				if int(c.Panel) == f.Program().MetricsPanel() && c.Group != cells.Overflow {
					n++
				}
			}
			if got := f.Counters().MetricsDropped; n != fold.MaxMetrics || got != 7 {
				t.Errorf("%d metrics, %d dropped; want %d and 7", n, got, fold.MaxMetrics)
			}
		})
	}
}

func TestBoundOfLists(t *testing.T) {
	f := feedOf(t, onePanel(tumbling10s, nil, "count"))
	f.event(event.Event{Time: 10_000_000, Value: 1})
	for i := range fold.MaxListed + 5 {
		f.event(event.Event{ID: fmt.Sprint("late", i), Time: int64(i), Value: 1})
		f.event(event.Event{ID: fmt.Sprint("bad", i), ValueStatus: event.Missing})
	}
	late, refused := f.Late(), f.Refused()
	if len(late) != fold.MaxListed || late[0].ID != "late5" || late[fold.MaxListed-1].ID != "late104" {
		t.Errorf("%d late, from %+v to %+v", len(late), late[0], late[len(late)-1])
	}
	if len(refused) != fold.MaxListed || refused[0].ID != "bad5" {
		t.Errorf("%d refused, from %+v", len(refused), refused[0])
	}
}

func TestBoundOfReasons(t *testing.T) {
	f := feedOf(t, definition.Default("default"))
	for i := range 100 {
		f.Malformed(fold.At{Position: messages.Position{Lo: uint64(i + 1)}}, fmt.Sprint("reason", i))
	}
	c := f.Counters()
	if len(c.InvalidReasons) != fold.MaxReasons || c.Invalid != 100 || c.InvalidReasons["other"] != 100-fold.MaxReasons+1 {
		t.Errorf("%d reasons of %d invalid records: %v", len(c.InvalidReasons), c.Invalid, c.InvalidReasons)
	}
}

// TestBoundOfIDs: beyond the bound the id with the lowest time is forgotten, and events as old as
// it can no longer be checked.
func TestBoundOfIDs(t *testing.T) {
	def := onePanel(tumbling10s, nil, "count")
	def.Dedupe.Horizon = 24 * time.Hour
	def.Time.Lateness = 24 * time.Hour
	f := feedOf(t, def)
	for i := range fold.MaxIDs {
		f.event(event.Event{ID: fmt.Sprint(i), Time: int64(1000 + i), Value: 1})
	}
	f.event(event.Event{ID: "0", Time: 1000, Value: 1})
	if c := f.Counters(); c.Duplicates != 1 {
		t.Fatalf("id 0 was forgotten at the bound: %+v", c)
	}
	f.event(event.Event{ID: "one more", Time: 1001, Value: 1}) // now the id of 1000 is dropped
	f.event(event.Event{ID: "0", Time: 1000, Value: 1})
	f.event(event.Event{ID: "1", Time: 1001, Value: 1})
	if c := f.Counters(); c.Duplicates != 2 || c.Horizon != 1 || c.Accepted != fold.MaxIDs+2 {
		t.Errorf("duplicates %d, horizon %d, accepted %d; want 2, 1, %d", c.Duplicates, c.Horizon, c.Accepted, fold.MaxIDs+2)
	}
}

// TestBoundOfRanges: the lowest hole is closed, and a sequence in it is refused later.
func TestBoundOfRanges(t *testing.T) {
	def := onePanel(tumbling10s, nil, "count")
	def.Dedupe.By = definition.ByProducer
	f := feedOf(t, def)
	sequence := func(n uint64) {
		f.event(event.Event{Producer: "p", Sequence: n, HasSequence: true, Time: 1000, Value: 1})
	}
	for i := range uint64(fold.MaxRanges + 1) {
		sequence(10 + 2*i)
	}
	sequence(11)                    // in the hole that was closed
	sequence(12)                    // seen
	sequence(13)                    // in a hole that is still open
	sequence(10 + 2*fold.MaxRanges) // seen
	c := f.Counters()
	if c.Horizon != 1 || c.Duplicates != 2 || c.Accepted != fold.MaxRanges+3 {
		t.Errorf("horizon %d, duplicates %d, accepted %d; want 1, 2, %d", c.Horizon, c.Duplicates, c.Accepted, fold.MaxRanges+3)
	}
}

func TestBoundOfProducers(t *testing.T) {
	def := onePanel(tumbling10s, nil, "count")
	def.Dedupe.By = definition.ByProducer
	f := feedOf(t, def)
	for i := range fold.MaxProducers + 3 {
		f.event(event.Event{Producer: fmt.Sprint("p", i), Sequence: 1, HasSequence: true, Time: 1000, Value: 1})
	}
	if c := f.Counters(); c.Horizon != 3 || c.Panels["p"].Folded != fold.MaxProducers {
		t.Errorf("horizon %d, folded %d; want 3, %d", c.Horizon, c.Panels["p"].Folded, fold.MaxProducers)
	}
}

func TestBoundOfSamples(t *testing.T) {
	f := feedOf(t, onePanel(tumbling10s, nil, "count", "increase", "delta"))
	values := func() string {
		u, _ := f.Since(0)
		return rowText(u.Cells[0].Row)
	}
	for i := range fold.MaxSamples {
		f.event(event.Event{Time: 1000 + int64(i), Value: float64(i)})
	}
	if got := values(); got != "1024 1023 1023" {
		t.Errorf("at the bound: %s", got)
	}
	f.event(event.Event{Time: 3000, Value: 5000})
	f.event(event.Event{Time: 3000, Value: 5000})
	if got := values(); got != "1026 null null" || f.Counters().Panels["p"].Unsampled != 2 {
		t.Errorf("beyond it: %s, unsampled %d", got, f.Counters().Panels["p"].Unsampled)
	}
}

// TestBoundOfSamplesHopping: each pane of a window has few events, the window has too many.
func TestBoundOfSamplesHopping(t *testing.T) {
	w := definition.Window{Kind: definition.Hopping, Size: 10 * time.Second, Every: 5 * time.Second}
	f := feedOf(t, onePanel(w, nil, "count", "increase"))
	for i := range fold.MaxSamples {
		f.event(event.Event{Time: 1000 + int64(i%2)*5000, Value: 1})
	}
	if c := f.Counters().Panels["p"]; c.Unsampled != 0 {
		t.Errorf("at the bound: %+v", c)
	}
	f.event(event.Event{Time: 6000, Value: 1})
	u, _ := f.Since(0)
	var rows []string
	for _, c := range u.Cells {
		if c.Panel == 0 {
			rows = append(rows, rowText(c.Row))
		}
	}
	if got := fmt.Sprint(rows); got != "[1025 null 512 0 513 0]" || f.Counters().Panels["p"].Unsampled != 1 {
		t.Errorf("beyond it: %s, unsampled %d", got, f.Counters().Panels["p"].Unsampled)
	}
}

// TestOldWindowsAreForgotten: the state does not grow with the log.
func TestOldWindowsAreForgotten(t *testing.T) {
	def := everyWindow(definition.ByID, definition.TieOrder)
	f := feedOf(t, def)
	var sizes []int
	for i := range 20_000 {
		f.event(event.Event{
			ID: fmt.Sprint(i), Time: int64(i) * 100, Value: float64(i % 100),
			Labels: []event.Label{{Name: "k", Value: fmt.Sprint(i / 300 % 7)}},
		})
		if i%5000 == 4999 {
			sizes = append(sizes, len(f.Append(nil)))
		}
	}
	if sizes[3] > sizes[1]*11/10 {
		t.Errorf("the state grows: %v bytes", sizes)
	}
}

func TestCompileRefuses(t *testing.T) {
	for want, change := range map[string]func(p *definition.Panel){
		`aggregate "distinct:labels.user" is not available yet`: func(p *definition.Panel) { p.Aggregates = []string{"distinct:labels.user"} },
		`aggregate "topk:labels.sku:10" is not available yet`:   func(p *definition.Panel) { p.Aggregates = []string{"topk:labels.sku:10"} },
		`aggregate "p100" is unknown; allowed: count, sum`:      func(p *definition.Panel) { p.Aggregates = []string{"p100"} },
		`window "sliding" is not available yet`:                 func(p *definition.Panel) { p.Window.Kind = "sliding" },
		`window "calendar" is not available yet`:                func(p *definition.Panel) { p.Window.Kind = "calendar" },
		`group_by "labls.x" is not allowed`:                     func(p *definition.Panel) { p.GroupBy = []string{"labls.x"} },
		`every is at most the size`: func(p *definition.Panel) {
			p.Window = definition.Window{Kind: definition.Hopping, Size: time.Second, Every: time.Minute}
		},
		`panel "p": filter: `: func(p *definition.Panel) { p.Filter = "value >" },
	} {
		def := onePanel(tumbling10s, nil, "count")
		change(&def.Panels[0])
		if _, err := fold.Compile(def, fold.Builtin()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
