package fold

import (
	"math"

	"github.com/dashfeed/dashfeed/fold/aggregate"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
)

// arrival is one accepted event on its way through the panels.
type arrival struct {
	version uint64
	event   *event.Event
	aggregate.Sample
}

// Event folds an event's record: one step. If the event has no time, Event sets e.Time to the time
// that it is judged by.
func (d *Dashboard) Event(at At, e *event.Event) {
	v := d.step(at)
	t, reason := judge(at, e)
	e.Time = t
	if e.Dashboard != "" && e.Dashboard != d.key.Dashboard || e.Tenant != "" && e.Tenant != d.key.Tenant {
		reason = KeyMismatch
	}
	if reason != "" {
		d.invalid(reason)
		d.refuse(at, e, t, reason)
		return
	}
	if t > clampTime(at.LogTime)+d.program.maxFuture {
		d.getRare().future++
		d.refuse(at, e, t, "future")
		return
	}
	switch d.seen.judge(d.program, e, t, clampTime(at.LogTime)) {
	case duplicate:
		d.duplicates++
		return
	case unchecked:
		d.accepted++
		d.getRare().horizon++
		for i := range d.program.schema {
			d.panels[i].accepted++
			d.panels[i].getRare().lateDropped++
		}
		d.late(at, e, t, "horizon")
	default:
		d.accepted++
		a := arrival{version: v, event: e, Sample: aggregate.Sample{Time: t, Value: e.Value, Order: v, Metadata: e.Metadata}}
		if d.program.def.Tie == definition.TieID {
			a.ID = e.ID
		}
		if d.foldIntoPanels(&a) {
			d.late(at, e, t, "late")
		}
	}
	d.move(at, t, v)
}

// KeyMismatch is the reason of an event that came under this dashboard's key and itself names
// another dashboard.
const KeyMismatch = "key_mismatch"

// Malformed folds a record that is not a valid event: one step, counted as invalid with that
// reason.
func (d *Dashboard) Malformed(at At, reason string) {
	d.step(at)
	d.invalid(reason)
	d.refuse(at, &event.Event{}, 0, reason)
}

// judge returns the event's time (S19) and what makes it invalid (S4).
func judge(at At, e *event.Event) (t int64, reason string) {
	switch e.TimeStatus {
	case event.OK:
		t = e.Time
	case event.Missing:
		t = at.Append
		if at.Event != 0 {
			t = at.Event
		}
	default:
		reason = "time"
	}
	if t < -event.MaxTime || t > event.MaxTime {
		t, reason = 0, "time"
	}
	switch {
	case e.ValueStatus == event.Missing:
		reason = "missing"
	case e.ValueStatus == event.Type:
		reason = "type"
	case e.ValueStatus == event.Range || math.IsInf(e.Value, 0) || math.IsNaN(e.Value):
		reason = "range"
	}
	return t, reason
}

// outcome is what a panel did with an event.
type outcome struct {
	refused, corrects, overflows, unsampled bool
}

// foldIntoPanels hands the event to every panel; late reports that one dropped it as late.
func (d *Dashboard) foldIntoPanels(a *arrival) (late bool) {
	spent := int64(0)
	for i := range d.panels {
		p, pp := &d.panels[i], &d.program.panels[i]
		p.accepted++
		if pp.filter != nil && !p.passes(pp.filter, a.event, &spent) {
			continue
		}
		a.Full = (pp.sampled || len(a.Metadata) > 0) && d.stateBytes() >= MaxStateBytes
		o := d.foldInto(i, a)
		if o != (outcome{}) {
			p.count(o)
			late = late || o.refused
		}
		if o.overflows && i == d.program.metrics {
			d.getRare().metricsDropped++
		}
	}
	return late
}

// passes reports whether the event passes the filter. A filter that would cost too much, by itself
// or with those before it, is not evaluated: the event counts as filtered, with that reason.
func (p *panel) passes(f *definition.Filter, e *event.Event, spent *int64) bool {
	price := f.Price(e)
	tooCostly := price > definition.MaxFilterPrice || *spent+price > definition.MaxEventPrice
	if !tooCostly {
		*spent += price
		if f.Match(e) {
			return true
		}
	}
	r := p.getRare()
	r.filtered++
	if tooCostly {
		r.tooCostly++
	}
	return false
}

func (p *panel) count(o outcome) {
	r := p.getRare()
	if o.refused {
		r.lateDropped++
	}
	if o.corrects {
		r.lateAccepted++
	}
	if o.overflows {
		r.overflowed++
	}
	if o.unsampled {
		r.unsampled++
	}
}

// move moves W, L and M by an accepted event, and the windows by W (S2).
func (d *Dashboard) move(at At, t int64, v uint64) {
	d.lastLog = clampTime(at.LogTime)
	d.newest = max(d.newest, t)
	if w := min(t, clampTime(at.Append)) - d.program.bound; w > d.watermark {
		d.watermark = w
		d.applyWatermark(v)
	}
}

// applyWatermark does what W requires: it makes windows final, purges, removes and forgets.
func (d *Dashboard) applyWatermark(v uint64) {
	if d.watermark == messages.NoTime {
		return
	}
	d.purged = max(d.purged, d.watermark-d.program.lateness)
	d.seen.forget(d.program, d.watermark)
	for i := range d.panels {
		p := &d.panels[i]
		if p.rare != nil && p.rare.sessions != nil {
			d.applyWatermarkToSessions(i, v)
			continue
		}
		if p.open <= d.watermark {
			d.finish(i, d.watermark, v)
		}
		if int(p.gone) < len(p.windows) && p.windows[p.gone].start+d.program.panels[i].size <= d.purged {
			d.purge(i)
		}
	}
}

// groupKey appends the event's key in the panel (S13).
func (pp *panelProgram) groupKey(b []byte, e *event.Event) []byte {
	for i := range pp.groupBy {
		if g := &pp.groupBy[i]; g.metric {
			b = cells.AppendGroupKey(b, e.Metric, true)
		} else {
			value, ok := e.Label(g.label)
			b = cells.AppendGroupKey(b, value, ok)
		}
	}
	return b
}
