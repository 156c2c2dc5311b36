package fold_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/fold/foldtest"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
)

// pair folds one log with the engine and with the reference.
type pair struct {
	testing.TB
	engine    *fold.Dashboard
	reference *foldtest.Dashboard
	first     *fold.Program
	logTime   int64
	record    int
	epoch     messages.Epoch
	breaks    int
	mirror    *cells.Set
	numbers   map[int]uint32 // the engine's number of each of the reference's cells, in this epoch
}

func newPair(t testing.TB, first *definition.Definition) *pair {
	p := &pair{TB: t, first: compile(first), logTime: math.MinInt64, mirror: &cells.Set{}, numbers: map[int]uint32{}}
	p.engine = fold.New(testKey, "local", p.first)
	p.reference = foldtest.New(toReference(first))
	return p
}

// fold folds one record with both.
func (p *pair) fold(s *step) {
	p.record++
	p.logTime = max(p.logTime, s.append)
	at := fold.At{Position: messages.Position{Lo: uint64(p.record)}, LogTime: p.logTime, Append: s.append, Event: s.eventTime}
	rat := foldtest.At{Position: at.Position.String(), LogTime: at.LogTime, Append: at.Append, Event: at.Event}
	switch s.kind {
	case kindEvent:
		e := s.event
		p.engine.Event(at, toEngine(&e))
		p.reference.Event(rat, &e)
	case kindMalformed:
		p.engine.Malformed(at, "malformed")
		p.reference.Malformed(rat, "malformed")
	case kindSetAside:
		p.engine.SetAside(at, "m")
		p.reference.SetAside(rat, "m")
	case kindDefine:
		r := definition.Record{Revision: s.revision, Region: s.region, Definition: s.definition}
		program, in := p.first, p.first.Definition()
		if s.definition != nil {
			program, in = compile(s.definition), s.definition
		}
		p.engine.Define(at, r, program)
		p.reference.Define(rat, s.revision, s.region, r.Order().Hash, toReference(in))
	}
}

// check compares everything that can be seen. Both sides have applied the deadlines up to log time.
func (p *pair) check() {
	p.Helper()
	p.engine.Advance(p.logTime)
	p.reference.Advance(p.logTime)
	if got, want := p.engine.Version(), p.reference.Version(); got != want {
		p.Fatalf("record %d: version %d, want %d", p.record, got, want)
	}
	if got, want := p.engine.Watermark(), p.reference.Watermark(); got != want {
		p.Fatalf("record %d: watermark %d, want %d", p.record, got, want)
	}
	if got, want := p.engine.Time(), p.reference.Time(); got != want {
		p.Fatalf("record %d: log time %d, want %d", p.record, got, want)
	}
	instant, waiting := p.engine.Deadline()
	if want, wantWaiting := p.reference.Deadline(); instant != want || waiting != wantWaiting {
		p.Fatalf("record %d: deadline %d, %t; want %d, %t", p.record, instant, waiting, want, wantWaiting)
	}
	if p.record%50 == 0 {
		p.checkDeadlines()
	}
	p.checkEpoch()
	p.checkCounters()
	p.checkList("late", p.engine.Late(), p.reference.Late())
	p.checkList("refused", p.engine.Refused(), p.reference.Refused())
	p.checkCells()
	p.checkMirror()
}

// checkDeadlines compares the deadlines that the engine names with those that a copy reaches as log
// time advances.
func (p *pair) checkDeadlines() {
	p.Helper()
	const most = 5
	all, few := p.engine.Deadlines(math.MaxInt), p.engine.Deadlines(most)
	d, err := fold.Decode(p.engine.Append(nil), compileAs(p.engine.Program()))
	if err != nil {
		p.Fatal(err)
	}
	if len(few) > most || len(all) <= most && !slices.Equal(few, all) || len(all) > 0 && few[len(few)-1] != all[len(all)-1] {
		p.Fatalf("record %d: at most %d of %v: %v", p.record, most, all, few)
	}
	for _, want := range all {
		instant, waiting := d.Deadline()
		if !waiting || instant != want {
			p.Fatalf("record %d: deadline %d, %t; want %d of %v", p.record, instant, waiting, want, all)
		}
		d.Advance(instant)
	}
	if instant, waiting := d.Deadline(); waiting {
		p.Fatalf("record %d: deadline %d behind all of %v", p.record, instant, all)
	}
}

func (p *pair) checkEpoch() {
	p.Helper()
	broke := p.reference.Breaks() != p.breaks
	if moved := p.engine.Epoch() != p.epoch; moved != broke {
		p.Fatalf("record %d: epoch %s after %s, though %d breaks became %d", p.record, p.engine.Epoch(), p.epoch, p.breaks, p.reference.Breaks())
	}
	if broke {
		p.mirror, p.numbers = &cells.Set{}, map[int]uint32{}
	}
	p.epoch, p.breaks = p.engine.Epoch(), p.reference.Breaks()
}

func (p *pair) checkCounters() {
	p.Helper()
	got, want := p.engine.Counters(), p.reference.Counters()
	if got.Records != got.Accepted+got.Invalid+got.Future+got.Duplicates {
		p.Fatalf("record %d: S18 does not hold: %+v", p.record, got)
	}
	translated := foldtest.Counters{
		Records: got.Records, Accepted: got.Accepted, Invalid: got.Invalid, Future: got.Future, Duplicates: got.Duplicates,
		Horizon: got.Horizon, MetricsDropped: got.MetricsDropped, SetAside: got.SetAside,
		Reasons: maps.Clone(got.InvalidReasons), Panels: map[string]foldtest.PanelCounter{},
	}
	maps.DeleteFunc(translated.Reasons, func(_ string, n uint64) bool { return n == 0 })
	for id, c := range got.Panels {
		if c.Accepted != c.Filtered+c.LateDropped+c.Folded {
			p.Fatalf("record %d: S18 does not hold in panel %s: %+v", p.record, id, c)
		}
		translated.Panels[id] = foldtest.PanelCounter{
			Accepted: c.Accepted, Filtered: c.Filtered, LateDropped: c.LateDropped, Folded: c.Folded,
			LateAccepted: c.LateAccepted, Overflowed: c.Overflowed, Unsampled: c.Unsampled,
		}
	}
	if g, w := fmt.Sprintf("%+v", translated), fmt.Sprintf("%+v", want); g != w {
		p.Fatalf("record %d: counters\n got %s\nwant %s", p.record, g, w)
	}
}

func (p *pair) checkList(what string, got []event.Listed, want []foldtest.Listed) {
	p.Helper()
	translated := []foldtest.Listed{}
	for _, l := range got {
		translated = append(translated, foldtest.Listed{ID: l.ID, Time: l.Time, Metric: l.Metric, Reason: l.Reason, Position: l.Position})
	}
	if !slices.Equal(translated, want) {
		p.Fatalf("record %d: list of %s\n got %+v\nwant %+v", p.record, what, translated, want)
	}
}

func (p *pair) checkCells() {
	p.Helper()
	u, ok := p.engine.Since(0)
	if !ok || u.To != p.engine.Version() || u.Epoch != p.engine.Epoch() {
		p.Fatalf("record %d: since 0: ok %t, to %d, epoch %s; the dashboard is at %d of %s", p.record, ok, u.To, u.Epoch, p.engine.Version(), p.engine.Epoch())
	}
	want := p.reference.Cells()
	if !p.reference.MetricsServed() {
		want = append(want, p.reference.Metrics(p.engine.Program().MetricsPanel())...)
	}
	got := sorted(u.Cells)
	if g, w := describe(got), describeWanted(want); !slices.Equal(g, w) {
		p.Fatalf("record %d: cells\n got %s\nwant %s", p.record, strings.Join(g, "\n     "), strings.Join(w, "\n     "))
	}
	for i, c := range got {
		if i > 0 && c.Panel == got[i-1].Panel && c.Group == got[i-1].Group && c.Start == got[i-1].Start {
			p.Fatalf("record %d: two cells are %s", p.record, describe(got[i : i+1])[0])
		}
		p.checkValues(&c, &want[i])
		if n, known := p.numbers[want[i].Serial]; known && n != c.Number {
			p.Fatalf("record %d: the cell %s was number %d and is %d", p.record, describe(got[i : i+1])[0], n, c.Number)
		}
		p.numbers[want[i].Serial] = c.Number
	}
	p.checkOverflow()
}

func (p *pair) checkValues(got *cells.Cell, want *foldtest.Cell) {
	p.Helper()
	values, ok := got.Row.Values()
	if !ok || len(values) != len(want.Values) {
		p.Fatalf("record %d: row of %s has %d values (whole: %t), want %v", p.record, describe([]cells.Cell{*got})[0], len(values), ok, want.Values)
	}
	for i, v := range values {
		if !allowed(v, want.Values[i]) {
			p.Fatalf("record %d: column %d of %s is %+v, want %v; whole row %+v, want %v", p.record, i, describe([]cells.Cell{*got})[0], v, want.Values[i], values, want.Values)
		}
	}
}

func allowed(got cells.Value, want foldtest.Value) bool {
	switch got.Kind {
	case cells.Null:
		return want.Null
	case cells.Float:
		return !want.Whole && want.Text == "" && want.Low <= got.Float && got.Float <= want.High
	case cells.Int:
		return want.Whole && float64(got.Int) == want.Low
	case cells.JSON:
		return want.Text != "" && got.JSON == want.Text
	}
	return false
}

func (p *pair) checkOverflow() {
	p.Helper()
	for i, s := range p.engine.Schema() {
		if i >= len(p.engine.Program().Definition().Panels) {
			break
		}
		want, got := p.reference.Overflowed(i), int64(0)
		if s.Overflow != nil {
			got = s.Overflow.Groups
		}
		if off := math.Abs(float64(got) - float64(want)); off > 0.05*float64(want) {
			p.Fatalf("record %d: panel %d: about %d keys overflowed, want %d", p.record, i, got, want)
		}
	}
}

// checkMirror moves a mirror by what changed and compares it whole.
func (p *pair) checkMirror() {
	p.Helper()
	follow(p, p.mirror, p.engine)
	all, _ := p.engine.Since(0)
	if got := p.mirror.Cells(); !slices.Equal(got, all.Cells) {
		p.Fatalf("record %d: the mirror holds\n%s\nthe dashboard\n%s", p.record, strings.Join(describe(sorted(got)), "\n"), strings.Join(describe(sorted(all.Cells)), "\n"))
	}
}

// follow asks for what changed since the mirror's version, and for everything if that is not
// available.
func follow(t testing.TB, mirror *cells.Set, d *fold.Dashboard) {
	t.Helper()
	u, ok := d.Since(mirror.Version())
	if !ok {
		u, _ = d.Since(0)
	}
	if err := mirror.Apply(u); err != nil {
		t.Fatal(err)
	}
	if mirror.Version() != d.Version() {
		t.Fatalf("mirror is at %d, the dashboard at %d", mirror.Version(), d.Version())
	}
}

func sorted(cs []cells.Cell) []cells.Cell {
	cs = slices.Clone(cs)
	slices.SortFunc(cs, func(a, b cells.Cell) int {
		return cmp.Or(cmp.Compare(a.Panel, b.Panel), cmp.Compare(groupName(a.Group), groupName(b.Group)), cmp.Compare(a.Start, b.Start))
	})
	return cs
}

// groupName is foldtest.GroupOf for an engine's group.
func groupName(g cells.Group) string {
	if g == cells.Overflow {
		return foldtest.OverflowGroup
	}
	keys, err := g.Keys()
	if err != nil {
		return err.Error()
	}
	places := make([]string, len(keys))
	for i, k := range keys {
		places[i] = "-"
		if k.Present {
			places[i] = strconv.Quote(k.Key)
		}
	}
	return strings.Join(places, ",")
}

func describe(cs []cells.Cell) []string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = fmt.Sprintf("panel %d [%d, %d) group [%s] revision %d", c.Panel, c.Start, c.End, groupName(c.Group), c.Revision)
	}
	return out
}

func describeWanted(cs []foldtest.Cell) []string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = fmt.Sprintf("panel %d [%d, %d) group [%s] revision %d", c.Panel, c.Start, c.End, c.Group, c.Revision)
	}
	return out
}
