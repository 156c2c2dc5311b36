package foldtest

import (
	"math"
	"slices"
	"strconv"
)

// Never is the watermark before the first accepted event.
const Never = math.MinInt64

// Bounds of the lists and of the newest value of each metric.
const (
	MaxListed  = 100
	MaxMetrics = 1000
	MaxIDs     = 100_000
	MaxRanges  = 1024
	MaxSamples = 1024
)

// Dashboard folds the records of one dashboard.
type Dashboard struct {
	definition Definition
	defined    bool // by a record, with these values:
	revision   uint64
	region     string
	hash       uint64

	version uint64
	time    int64 // log time at the last step
	breaks  int
	history // what a definition with reset restarts
	serials int
}

// history is everything except the definition and the count of steps.
type history struct {
	watermark    int64 // W
	lastLogTime  int64 // L
	greatestTime int64 // M
	any          bool  // an event was accepted: L and M are valid
	purgedUpTo   int64 // windows that end here or before accept nothing more
	forgottenTo  int64 // events before this can no longer be checked for duplicates

	ids       map[string]remembered
	invented  []invented // oldest first
	idFloor   int64
	sequences map[string]map[uint64]bool
	seqFloor  map[string]uint64

	panels   []*panel
	serving  *panel // the visible panel that shows exactly the newest value of each metric, if any
	metrics  []*metric
	counters Counters
	late     []Listed
	refused  []Listed
}

type metric struct {
	name   string
	newest arrival
	serial int
}

// arrival is an accepted event with its place in log order.
type arrival struct {
	*Event
	time  int64
	order uint64
}

// New returns a dashboard without records.
func New(d Definition) *Dashboard {
	r := &Dashboard{}
	r.definition = d
	r.begin()
	return r
}

func (d *Dashboard) begin() {
	d.history = history{
		watermark: Never, purgedUpTo: Never, forgottenTo: Never, idFloor: Never,
		ids: map[string]remembered{}, sequences: map[string]map[uint64]bool{}, seqFloor: map[string]uint64{},
		counters: newCounters(),
	}
	for i := range d.definition.Panels {
		d.addPanel(d.definition.Panels[i])
	}
	d.serve()
}

// serve fills a visible panel that now shows the newest value of each metric with what is known.
func (d *Dashboard) serve() {
	before := d.serving
	d.serving = nil
	if i := slices.IndexFunc(d.panels, func(p *panel) bool { return p.servesMetrics() }); i >= 0 {
		d.serving = d.panels[i]
	}
	if d.serving == nil || d.serving == before {
		return
	}
	d.serving.windows, d.serving.overflowed = nil, map[string]bool{}
	for _, m := range d.metrics {
		w := &window{kind: "latest"}
		d.serving.add(w, strconv.Quote(m.name), m.newest)
		d.serving.windows = append(d.serving.windows, w)
	}
}

func (d *Dashboard) addPanel(p Panel) {
	d.panels = append(d.panels, &panel{Panel: p, dashboard: d, overflowed: map[string]bool{}})
}

// Version returns how many steps were taken.
func (d *Dashboard) Version() uint64 { return d.version }

// Breaks returns how many epochs were begun.
func (d *Dashboard) Breaks() int { return d.breaks }

// Time returns the log time at the last step.
func (d *Dashboard) Time() int64 { return d.time }

// Watermark returns W, or Never.
func (d *Dashboard) Watermark() int64 { return d.watermark }

// Late returns the late events, oldest first.
func (d *Dashboard) Late() []Listed { return d.late }

// Refused returns the refused records, oldest first.
func (d *Dashboard) Refused() []Listed { return d.refused }

// Event folds an event's record.
func (d *Dashboard) Event(at At, e *Event) {
	d.step(at)
	d.counters.Records++
	t, reason := timeOf(at, e)
	if bad := valueReason(e); bad != "" {
		reason = bad
	}
	switch {
	case reason != "":
		d.counters.Invalid++
		d.counters.Reasons[reason]++
		d.refuse(Listed{e.ID, t, e.Metric, reason, at.Position})
	case t > at.LogTime+d.definition.MaxFuture:
		d.counters.Future++
		d.refuse(Listed{e.ID, t, e.Metric, "future", at.Position})
	default:
		d.judge(at, arrival{e, t, d.version})
	}
}

// farthest is the greatest distance of a time from 1970, ms.
const farthest = 8_640_000_000_000_000

// timeOf returns the event's time in ms, or the reason why there is none (S4, S19).
func timeOf(at At, e *Event) (t int64, reason string) {
	switch {
	case e.TimeStatus == Good:
		t = e.Time
	case e.TimeStatus == Missing && at.Event != 0:
		t = at.Event
	case e.TimeStatus == Missing:
		t = at.Append
	default:
		return 0, "time"
	}
	if t < -farthest || t > farthest {
		return 0, "time"
	}
	return t, ""
}

func valueReason(e *Event) string {
	switch {
	case e.ValueStatus == Missing:
		return "missing"
	case e.ValueStatus == WrongType:
		return "type"
	case e.ValueStatus == OutOfRange || math.IsNaN(e.Value) || math.IsInf(e.Value, 0):
		return "range"
	}
	return ""
}

// judge processes an event that is valid and not in the future.
func (d *Dashboard) judge(at At, a arrival) {
	copied, unchecked := d.seenBefore(a)
	if copied {
		d.counters.Duplicates++
		return
	}
	d.counters.Accepted++
	late := false
	if unchecked {
		d.counters.Horizon++
	} else {
		d.remember(a, at.LogTime)
		d.newestOfMetric(a)
	}
	for _, p := range d.panels {
		p.counter.Accepted++
		switch {
		case unchecked:
			p.counter.LateDropped++
		case p.Filter != nil && !p.Filter(a.Event, a.time):
			p.counter.Filtered++
		case p.fold(a):
			p.counter.Folded++
		default:
			p.counter.LateDropped++
			late = true
		}
	}
	if unchecked {
		d.listLate(Listed{a.ID, a.time, a.Metric, "horizon", at.Position})
	} else if late {
		d.listLate(Listed{a.ID, a.time, a.Metric, "late", at.Position})
	}
	d.moved(at, a.time)
}

// moved moves W, L and M by an accepted event, and then the windows by W.
func (d *Dashboard) moved(at At, t int64) {
	d.watermark = max(d.watermark, min(t, at.Append)-d.definition.Bound)
	d.lastLogTime = at.LogTime
	d.greatestTime = max(d.greatestTime, t)
	if !d.any {
		d.greatestTime = t
	}
	d.any = true
	d.applyWatermark()
}

// applyWatermark makes final, purges and forgets what W has passed.
func (d *Dashboard) applyWatermark() {
	if d.watermark == Never {
		return
	}
	d.purgedUpTo = max(d.purgedUpTo, d.watermark-d.definition.Lateness)
	d.forgottenTo = max(d.forgottenTo, d.watermark-d.definition.Horizon)
	d.forgetIDs()
	for _, p := range d.panels {
		p.finish(func(end int64) bool { return d.watermark >= end })
		p.leave()
	}
}

// Advance applies the deadlines up to a log time, one instant after another (S2).
func (d *Dashboard) Advance(logTime int64) {
	for {
		instant, any := d.Deadline()
		if !any || instant > logTime {
			return
		}
		changed := false
		for _, p := range d.panels {
			if p.finish(func(end int64) bool { return d.deadline(end) == instant }) {
				changed = true
			}
		}
		if changed {
			d.version++
			d.time = max(d.time, instant)
		}
	}
}

// deadline returns the log time at which a window with that end becomes final by idling.
func (d *Dashboard) deadline(end int64) int64 {
	return d.lastLogTime + d.definition.Idle + max(0, end-d.greatestTime)
}

// Deadline returns the next instant at which a window becomes final by idling.
func (d *Dashboard) Deadline() (instant int64, any bool) {
	if d.definition.Idle == 0 || !d.any {
		return 0, false
	}
	for _, p := range d.panels {
		for _, w := range p.windows {
			if !w.final && w.timed() && (!any || d.deadline(w.end) < instant) {
				instant, any = d.deadline(w.end), true
			}
		}
	}
	return instant, any
}

// Malformed folds a record that is not a valid event.
func (d *Dashboard) Malformed(at At, reason string) {
	d.step(at)
	d.counters.Records++
	d.counters.Invalid++
	d.counters.Reasons[reason]++
	d.refuse(Listed{Reason: reason, Position: at.Position})
}

// SetAside folds a record that made the engine panic.
func (d *Dashboard) SetAside(at At, metric string) {
	d.step(at)
	d.counters.SetAside++
	d.refuse(Listed{Metric: metric, Reason: "panic", Position: at.Position})
	d.breaks++
}

// Define folds a definition record.
func (d *Dashboard) Define(at At, revision uint64, region string, hash uint64, def Definition) {
	d.step(at)
	if d.defined && (revision < d.revision || revision == d.revision && (region < d.region || region == d.region && hash <= d.hash)) {
		return
	}
	d.defined, d.revision, d.region, d.hash = true, revision, region, hash
	d.breaks++
	old := d.panels
	if def.TieByID != d.definition.TieByID {
		old, d.metrics, d.serving = nil, nil, nil // first and last depend on how ties are broken
	}
	d.definition = def
	if def.Reset {
		d.begin()
		return
	}
	d.panels = nil
	for _, p := range def.Panels {
		i := slices.IndexFunc(old, func(o *panel) bool { return o.Panel.sameQuery(p) })
		if i < 0 {
			d.addPanel(p)
			continue
		}
		old[i].Panel = p
		d.panels = append(d.panels, old[i])
		old[i].leave()
	}
	d.serve()
	d.applyWatermark()
}

// step begins a step: first it does what was due before the record.
func (d *Dashboard) step(at At) {
	d.Advance(at.LogTime)
	d.forgetInvented(at.LogTime)
	d.version++
	if d.version == 1 {
		d.breaks++
		d.time = at.LogTime
	}
	d.time = max(d.time, at.LogTime)
}

func (d *Dashboard) newestOfMetric(a arrival) {
	for _, m := range d.metrics {
		if m.name == a.Metric {
			if d.before(m.newest, a) {
				m.newest = a
			}
			return
		}
	}
	if len(d.metrics) == MaxMetrics {
		d.counters.MetricsDropped++
		return
	}
	d.metrics = append(d.metrics, &metric{a.Metric, a, d.serial()})
}

// before reports whether a comes before b in the order of S7.
func (d *Dashboard) before(a, b arrival) bool {
	if a.time != b.time {
		return a.time < b.time
	}
	if d.definition.TieByID && a.ID != b.ID {
		return a.ID < b.ID
	}
	return a.order < b.order
}

func (d *Dashboard) serial() int {
	d.serials++
	return d.serials
}
