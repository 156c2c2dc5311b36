package fold_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/fold/foldtest"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
	"pgregory.net/rapid"
)

// draw is the generator's only source of chance: a number from 0 to n, not including n. rapid draws
// it, or the bytes of a fuzzer.
type draw func(n int) int

// scripts draws logs with that many steps; rapid shrinks them and prints them once.
func scripts(least, most int) *rapid.Generator[script] {
	return rapid.Custom(func(t *rapid.T) script {
		d := draws(t)
		return drawScript(d, least+d(most-least+1))
	})
}

// draws draws with rapid.
func draws(t *rapid.T) draw {
	return func(n int) int {
		if n <= 1 {
			return 0
		}
		return rapid.IntRange(0, n-1).Draw(t, "")
	}
}

// chances draws what else is left to chance while a log is folded.
func chances(t *rapid.T) draw {
	seed := rapid.Uint64().Draw(t, "seed")
	r := rand.New(rand.NewPCG(seed, 0))
	return func(n int) int { return r.IntN(max(n, 1)) }
}

// fromBytes draws from bytes; after the last one it draws 0.
func fromBytes(b []byte) draw {
	return func(n int) int {
		v := 0
		for m := n - 1; m > 0 && len(b) > 0; m >>= 8 {
			v, b = v<<8|int(b[0]), b[1:]
		}
		return v % max(n, 1)
	}
}

func (d draw) often(percent int) bool { return d(100) >= 100-percent }

// pick picks one; the first is the simplest.
func pick[T any](d draw, from ...T) T { return from[d(len(from))] }

// kind is what a step of a log is.
type kind int

const (
	kindEvent kind = iota
	kindTick
	kindForeign // another dashboard's event
	kindDefine
	kindMalformed
	kindSetAside
)

// step is one record of a generated log.
type step struct {
	kind       kind
	append     int64
	eventTime  int64 // the record's own, beside the event's; 0: none
	event      foldtest.Event
	definition *definition.Definition // nil: DELETE
	revision   uint64
	region     string
}

// script is a generated log and the definition that its dashboard begins with.
type script struct {
	first *definition.Definition
	steps []step
}

// world is what the generator remembers while it writes a log.
type world struct {
	draw
	now       int64
	grain     int64 // all times are multiples of it: a coarse one makes ties and touches boundaries
	events    []foldtest.Event
	defines   []step
	sequences map[string]uint64
	current   *definition.Definition

	// What the definition's limits are counted from, as far as the generator knows: it assumes that
	// every event is accepted.
	watermark, newest int64
}

// GoString writes the log in readable form.
func (s script) GoString() string {
	b := "definition " + string(s.first.Canonical())
	for i, st := range s.steps {
		b += fmt.Sprintf("\n%3d append %d ", i+1, st.append)
		if st.eventTime != 0 {
			b += fmt.Sprintf("event time %d ", st.eventTime)
		}
		switch st.kind {
		case kindEvent:
			b += string(payload(testKey, &st.event))
		case kindDefine:
			b += fmt.Sprintf("definition %d %q ", st.revision, st.region)
			if st.definition != nil {
				b += string(st.definition.Canonical())
			}
		default:
			b += [...]string{kindTick: "tick", kindForeign: "another dashboard's", kindMalformed: "malformed", kindSetAside: "set aside"}[st.kind]
		}
	}
	return b
}

var testKey = messages.Key{Tenant: "default", Dashboard: "d"}

func drawScript(d draw, steps int) script {
	w := &world{draw: d, sequences: map[string]uint64{}}
	w.grain = pick[int64](d, 1, 500, 1000)
	w.now = w.coarse(pick[int64](d, 1_000_000, 1_795_422_000_371, -30_000, 0))
	first := w.definition()
	s := script{first: first}
	w.current, w.watermark, w.newest = first, w.now, w.now
	for len(s.steps) < steps {
		s.steps = append(s.steps, w.step())
	}
	return s
}

func (w *world) step() step {
	w.now += w.pause()
	s := step{append: w.now}
	if w.often(5) {
		s.append -= w.coarse(int64(w.draw(5_000))) // a broker's clock that stepped back
	}
	switch c := w.draw(100); {
	case c < 78:
		if w.often(15) {
			s.eventTime, _ = w.time(s.append)
		}
		s.event = w.event(s.append)
		w.events = append(w.events, s.event)
		if t := s.time(); s.event.TimeStatus <= foldtest.Missing {
			w.watermark = max(w.watermark, min(t, s.append)-w.current.Time.Bound.Milliseconds())
			w.newest = max(w.newest, min(t, s.append+w.current.Time.MaxFuture.Milliseconds()))
		}
	case c < 86:
		s.kind = kindTick
	case c < 92:
		s.kind = kindForeign
		s.event = foldtest.Event{Metric: "m", Time: s.append}
	case c < 94:
		s.kind = kindMalformed
	case c < 95:
		s.kind = kindSetAside
	case c < 96 && len(w.defines) > 0:
		s.definition, s.revision, s.region, s.kind = w.copied()
	default:
		s.kind = kindDefine
		s.revision, s.region = uint64(w.draw(4)), pick(w.draw, "", "east", "west")
		if !w.often(10) {
			s.definition = w.redefinition()
		}
		w.defines = append(w.defines, s)
	}
	return s
}

// copied returns an earlier definition record, as someone who copies a topic would write it.
func (w *world) copied() (*definition.Definition, uint64, string, kind) {
	s := w.defines[w.draw(len(w.defines))]
	return s.definition, s.revision, s.region, kindDefine
}

// time returns the time that the event of a step is judged by.
func (s *step) time() int64 {
	switch {
	case s.event.TimeStatus == foldtest.Good:
		return s.event.Time
	case s.eventTime != 0:
		return s.eventTime
	}
	return s.append
}

// edge returns a time at which one of the definition's limits is just met, or missed by a
// millisecond.
func (w *world) edge(appended int64) int64 {
	t := &w.current.Time
	window := w.current.Panels[w.draw(len(w.current.Panels))].Window
	size, every := max(1, window.Size.Milliseconds()), max(1, window.Every.Milliseconds(), window.Size.Milliseconds())
	if window.Every > 0 {
		every = window.Every.Milliseconds()
	}
	purged := w.watermark - t.Lateness.Milliseconds()
	near := appended
	if n := len(w.events); n > 0 && w.events[n-1].TimeStatus == foldtest.Good {
		near = w.events[max(0, n-1-w.draw(5))].Time
	}
	at := pick(w.draw,
		near+size, near-size, // where a session ends, or another touches it
		purged-size, w.watermark-size, // a session or window that is just purged, or final
		floorOf(purged, every), floorOf(w.watermark, every),
		w.watermark-w.current.Dedupe.Horizon.Milliseconds(),
		appended+t.MaxFuture.Milliseconds(),
		w.watermark+t.Bound.Milliseconds(),
	)
	return at + pick[int64](w.draw, 0, -1, 1)
}

func floorOf(t, size int64) int64 { return t - (t%size+size)%size }

func (w *world) coarse(ms int64) int64 { return ms / w.grain * w.grain }

func (w *world) pause() int64 {
	// to where a window becomes final by idling
	if idle := w.current.Time.Idle.Milliseconds(); idle > 0 && w.often(10) {
		size := max(1, w.current.Panels[0].Window.Size.Milliseconds())
		end := floorOf(w.newest, size) + size
		return max(0, idle+max(0, end-w.newest)+pick[int64](w.draw, 0, -1, 1))
	}
	switch c := w.draw(20); {
	case c < 4:
		return 0
	case c < 15:
		return w.coarse(int64(w.draw(1_500)))
	case c < 18:
		return w.coarse(int64(w.draw(12_000)))
	case c < 19:
		return pick[int64](w.draw, 1_000, 5_000, 10_000)
	}
	return w.coarse(int64(w.draw(120_000)))
}

// redefinition changes a definition in a few places, or begins another history.
func (w *world) redefinition() *definition.Definition {
	if w.often(20) {
		d := w.definition()
		d.Reset = true
		w.current = d
		return d
	}
	d := *w.current
	d.Reset = false
	d.Panels = slices.Clone(d.Panels)
	n := w.definition()
	if w.often(30) {
		d.Time.Idle, d.Time.MaxFuture = n.Time.Idle, n.Time.MaxFuture
	}
	if w.often(30) {
		d.Time.Lateness = n.Time.Lateness
	}
	if w.often(20) {
		d.Dedupe.Horizon = n.Dedupe.Horizon
	}
	if w.often(20) {
		d.Time.Bound = n.Time.Bound
	}
	if w.often(10) {
		d.Dedupe.By = n.Dedupe.By
	}
	if w.often(10) {
		d.Tie = n.Tie
	}
	i := w.draw(len(d.Panels))
	switch w.draw(5) {
	case 1:
		d.Panels[i].Keep, d.Panels[i].MaxGroups = n.Panels[0].Keep, n.Panels[0].MaxGroups
	case 2:
		id := d.Panels[i].ID
		d.Panels[i] = n.Panels[0]
		d.Panels[i].ID = id
	case 3:
		slices.Reverse(d.Panels)
	case 4:
		if len(d.Panels) > 1 {
			d.Panels = slices.Delete(d.Panels, i, i+1)
		}
	}
	w.current = &d
	return &d
}

func (w *world) seconds(most int) time.Duration {
	return time.Duration(w.draw(most+1)) * time.Second
}

func (w *world) definition() *definition.Definition {
	d := &definition.Definition{
		Tenant: testKey.Tenant, Dashboard: testKey.Dashboard,
		Time: definition.Time{
			Bound:     pick(w.draw, 2*time.Second, 0, 500*time.Millisecond, 7*time.Second),
			Idle:      pick(w.draw, 10*time.Second, 0, time.Second, 3500*time.Millisecond),
			MaxFuture: pick(w.draw, 60*time.Second, 0, 2*time.Second),
			Lateness:  pick(w.draw, 30*time.Second, 0, 3*time.Second, 10*time.Second),
		},
		Dedupe: definition.Dedupe{
			By:      pick(w.draw, definition.ByID, definition.ByProducer, definition.ByNone),
			Horizon: pick(w.draw, 10*time.Minute, time.Second, 5*time.Second, 30*time.Second),
		},
		Tie: pick(w.draw, definition.TieOrder, definition.TieID),
	}
	for i := range 1 + w.draw(3) {
		d.Panels = append(d.Panels, w.panel("panel"+strconv.Itoa(i)))
	}
	return d
}

func (w *world) panel(id string) definition.Panel {
	p := definition.Panel{
		ID:        id,
		Filter:    pick(w.draw, "", "", "", `value > 0`, `metric != "b"`, `labels.k == nil`, `labels.k != "a" && value < 100`, `labels.k < "m"`, `time % 2000 < 1000`),
		Keep:      pick(w.draw, 60, 1, 2, 3, 5),
		GroupBy:   pick(w.draw, []string{}, []string{"labels.k"}, []string{"metric"}, []string{"metric", "labels.k"}, []string{"labels.k", "labels.l"}),
		MaxGroups: pick(w.draw, 1000, 1, 2, 3),
	}
	switch w.draw(6) {
	case 0, 1:
		p.Window = definition.Window{Kind: definition.Tumbling, Size: time.Second * time.Duration(1+w.draw(10))}
	case 2:
		every := time.Duration(1+w.draw(4)) * time.Second
		p.Window = definition.Window{Kind: definition.Hopping, Size: every + w.seconds(8), Every: every}
	case 3:
		p.Window = definition.Window{Kind: definition.Session, Size: time.Second + w.seconds(8)}
	case 4:
		p.Window = definition.Window{Kind: definition.Count, N: 1 + w.draw(4)}
	case 5:
		p.Window = definition.Window{Kind: definition.Latest}
		if w.often(50) {
			return p
		}
	}
	all := []string{"count", "sum", "min", "max", "avg", "first", "last", "delta", "rate", "rate:count", "increase", "stddev", "p50", "p95", "p99.9"}
	for _, a := range all {
		if w.often(30) {
			p.Aggregates = append(p.Aggregates, a)
		}
	}
	if len(p.Aggregates) == 0 {
		p.Aggregates = []string{pick(w.draw, all...)}
	}
	return p
}

var (
	composed, decomposed = "\u00e9", "e\u0301"
	longKey              = strings.Repeat("ключ🔑", 18)
	strangeKeys          = []string{"a", "b", "z", "", "null", "__other__", "a\x00b", composed, decomposed, longKey, "-", `"a"`}
)

func (w *world) event(appended int64) foldtest.Event {
	if len(w.events) > 0 && w.often(12) {
		e := w.events[w.draw(len(w.events))] // a producer's retry
		if w.often(5) {
			e.Time += int64(w.draw(3_000)) // that lies about its time
		}
		return e
	}
	e := foldtest.Event{
		Metric: pick(w.draw, "a", "b", "c", "__other__", "null", longKey),
		Labels: map[string]string{},
	}
	for _, name := range []string{"k", "l"} {
		if !w.often(30) {
			e.Labels[name] = strangeKeys[w.draw(pick(w.draw, 3, len(strangeKeys)))]
		}
	}
	e.Value, e.ValueStatus = w.value()
	e.Time, e.TimeStatus = w.time(appended)
	if !w.often(25) {
		e.ID = fmt.Sprintf("%s-%d-%d", pick(w.draw, "e", "e", "~"), w.draw(1000), len(w.events))
	}
	if w.often(20) {
		e.Metadata = fmt.Sprintf(`{"n":%d}`, w.draw(9))
	}
	if w.often(60) {
		e.Producer = pick(w.draw, "p", "q")
		e.HasSequence = !w.often(10)
		e.Sequence = w.sequences[e.Producer]
		if w.often(20) {
			e.Sequence += uint64(w.draw(4)) // a hole, or a sequence that was seen
		}
		w.sequences[e.Producer] = max(w.sequences[e.Producer], e.Sequence+1)
		if w.often(10) {
			e.Sequence = uint64(w.draw(20))
		}
	}
	return e
}

func (w *world) value() (float64, foldtest.Status) {
	switch c := w.draw(20); {
	case c < 10:
		return float64(w.draw(50)), foldtest.Good
	case c < 16:
		return float64(w.draw(2_000_000)-1_000_000) / 997, foldtest.Good
	case c < 18:
		return pick[float64](w.draw, 0, math.Copysign(0, -1), 1e308, -1e308, 5e-324, 1e-300, -1e15, 0.1, 1<<53), foldtest.Good
	}
	return 0, pick(w.draw, foldtest.Missing, foldtest.WrongType, foldtest.OutOfRange)
}

func (w *world) time(appended int64) (int64, foldtest.Status) {
	if w.often(20) {
		return w.edge(appended), foldtest.Good
	}
	t := appended
	switch c := w.draw(20); {
	case c < 8:
		t -= int64(w.draw(2_000))
	case c < 12:
		t -= int64(w.draw(15_000))
	case c < 13:
		t -= int64(w.draw(100_000))
	case c < 15:
		t += int64(w.draw(4_000))
	case c < 16:
		t += int64(w.draw(90_000))
	case c < 17:
		t = (t - int64(w.draw(20_000))) / 1_000 * 1_000 // on a boundary, and a tie
	case c < 18:
		t = pick[int64](w.draw, 0, -1, -1_000, math.MinInt32, -1<<53, event.MaxTime, event.MaxTime+1, -event.MaxTime)
	default:
		return 0, pick(w.draw, foldtest.Missing, foldtest.Missing, foldtest.Missing, foldtest.Missing, foldtest.WrongType, foldtest.OutOfRange)
	}
	return w.coarse(t), foldtest.Good
}

// toReference converts a definition to the reference's types.
func toReference(d *definition.Definition) foldtest.Definition {
	r := foldtest.Definition{
		Bound: d.Time.Bound.Milliseconds(), Idle: d.Time.Idle.Milliseconds(), MaxFuture: d.Time.MaxFuture.Milliseconds(),
		Lateness: d.Time.Lateness.Milliseconds(), By: string(d.Dedupe.By), Horizon: d.Dedupe.Horizon.Milliseconds(),
		TieByID: d.Tie == definition.TieID, Reset: d.Reset,
	}
	for _, p := range d.Panels {
		r.Panels = append(r.Panels, foldtest.Panel{
			ID: p.ID, Kind: string(p.Window.Kind), Size: p.Window.Size.Milliseconds(), Every: p.Window.Every.Milliseconds(),
			N: p.Window.N, Keep: p.Keep, MaxGroups: p.MaxGroups, GroupBy: p.GroupBy,
			FilterText: p.Filter, Filter: referenceFilters[p.Filter], Aggregates: p.Aggregates,
		})
	}
	return r
}

// referenceFilters are the generator's filters written by hand. A filter that fails (nil < "m")
// passes nothing.
var referenceFilters = map[string]func(e *foldtest.Event, time int64) bool{
	``:                nil,
	`value > 0`:       func(e *foldtest.Event, _ int64) bool { return e.Value > 0 },
	`metric != "b"`:   func(e *foldtest.Event, _ int64) bool { return e.Metric != "b" },
	`labels.k == nil`: func(e *foldtest.Event, _ int64) bool { _, there := e.Labels["k"]; return !there },
	`labels.k != "a" && value < 100`: func(e *foldtest.Event, _ int64) bool {
		k, there := e.Labels["k"]
		return (!there || k != "a") && e.Value < 100
	},
	`time % 2000 < 1000`: func(_ *foldtest.Event, t int64) bool { return t%2000 < 1000 },
	`labels.k < "m"`:     func(e *foldtest.Event, _ int64) bool { k, there := e.Labels["k"]; return there && k < "m" },
}

var engineStatus = map[foldtest.Status]event.Status{
	foldtest.Good: event.OK, foldtest.Missing: event.Missing, foldtest.WrongType: event.Type, foldtest.OutOfRange: event.Range,
}

// toEngine returns the event as a decoder would.
func toEngine(e *foldtest.Event) *event.Event {
	o := &event.Event{
		ID: e.ID, Tenant: testKey.Tenant, Dashboard: testKey.Dashboard, Metric: e.Metric,
		Value: e.Value, ValueStatus: engineStatus[e.ValueStatus], Time: e.Time, TimeStatus: engineStatus[e.TimeStatus],
		Producer: e.Producer, Sequence: e.Sequence, HasSequence: e.HasSequence,
	}
	if e.Metadata != "" {
		o.Metadata = []byte(e.Metadata)
	}
	for name, v := range e.Labels {
		o.Labels = append(o.Labels, event.Label{Name: name, Value: v})
	}
	slices.SortFunc(o.Labels, func(a, b event.Label) int { return strings.Compare(a.Name, b.Name) })
	return o
}

// payload returns the event as a producer writes it.
func payload(k messages.Key, e *foldtest.Event) []byte {
	fields := map[string]any{"dashboard": k.Dashboard, "metric": e.Metric, "labels": e.Labels}
	switch e.ValueStatus {
	case foldtest.Good:
		fields["value"] = e.Value
	case foldtest.WrongType:
		fields["value"] = "12"
	case foldtest.OutOfRange:
		fields["value"] = json.RawMessage("1e999")
	}
	switch e.TimeStatus {
	case foldtest.Good:
		fields["time"] = e.Time
	case foldtest.WrongType:
		fields["time"] = "yesterday"
	case foldtest.OutOfRange:
		fields["time"] = json.RawMessage("1e300")
	}
	if e.ID != "" {
		fields["id"] = e.ID
	}
	if e.Metadata != "" {
		fields["metadata"] = json.RawMessage(e.Metadata)
	}
	if e.Producer != "" {
		fields["producer"] = e.Producer
	}
	if e.HasSequence {
		fields["sequence"] = e.Sequence
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return b
}

func compile(d *definition.Definition) *fold.Program {
	p, err := fold.Compile(d, fold.Builtin())
	if err != nil {
		panic(fmt.Sprintf("%v\n%s", err, d.Canonical()))
	}
	return p
}
