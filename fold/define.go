package fold

import (
	"math"
	"slices"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
)

// inForce is the definition record in force.
type inForce struct {
	definition.Order
	deleted bool // the record deleted the dashboard's own definition
}

// Define folds a definition record: a step and a break. A record that is not after the one in
// force, by (revision, region, hash), is only a step, even with Reset. p is compiled from
// r.Definition or, if that is nil, from the tenant's default. Panels with an unchanged query keep
// their state; Reset keeps nothing but the version.
func (d *Dashboard) Define(at At, r definition.Record, p *Program) {
	v := d.step(at)
	order := r.Order()
	if d.inForce != nil && !order.After(d.inForce.Order) {
		return
	}
	d.inForce = &inForce{order, r.Definition == nil}
	if r.Definition != nil && r.Definition.Reset {
		for i := range d.panels {
			d.removeCells(i, v)
		}
		d.program = p
		d.begin()
	} else {
		d.adopt(p, v)
	}
	d.breakAt(at)
}

// SetAside folds a record that makes the fold panic, in place of Event: a step and a break. metric
// is the event's, if known.
func (d *Dashboard) SetAside(at At, metric string) {
	d.step(at)
	d.getRare().setAside++
	d.refuse(at, &event.Event{Metric: metric}, 0, "panic")
	d.breakAt(at)
}

// breakAt begins a new epoch at a record.
func (d *Dashboard) breakAt(at At) {
	d.epoch = epochOf(d.region, d.key, d.epoch, at.Position)
	d.set.Forget()
}

// adopt changes the program and moves the state of unchanged panels to their new numbers.
func (d *Dashboard) adopt(p *Program, v uint64) {
	to := make([]int, len(d.panels))
	for i := range d.panels {
		to[i] = slices.IndexFunc(p.panels, func(pp panelProgram) bool { return pp.identity == d.program.panels[i].identity })
	}
	panels := make([]panel, len(p.panels))
	for i := range panels {
		panels[i].open = math.MaxInt64
	}
	copies := d.moveNewest(p, to, panels, v)
	for i := range d.panels {
		if to[i] < 0 {
			d.removeCells(i, v)
		} else {
			accepted, rare := panels[to[i]].accepted, panels[to[i]].rare
			panels[to[i]] = d.panels[i]
			if i == d.program.metrics && d.program.panels[i].identity != p.panels[to[i]].identity {
				panels[to[i]].accepted, panels[to[i]].rare = accepted, rare
			}
		}
	}
	from := to[d.program.metrics]
	d.program, d.panels = p, panels
	d.set.Renumber(to)
	if copies {
		d.copyNewest(from, p.metrics, v)
	}
	for i := range d.panels {
		if keepLess := d.program.panels[i].kind.keepLess; keepLess != nil {
			keepLess(d, i, v)
		}
	}
	d.applyWatermark(v)
}

// moveNewest moves the newest value of each metric, which survives definitions, to the panel that
// keeps it from now on. It replaces what that panel had, except its counters. It reports whether
// the values must be copied instead, because the old panel keeps them too.
func (d *Dashboard) moveNewest(p *Program, to []int, panels []panel, v uint64) (copies bool) {
	had, has := d.program.metrics, p.metrics
	if to[had] == has || p.def.Tie != d.program.def.Tie {
		return false
	}
	old := &d.panels[had]
	if to[had] < 0 && p.panels[has].hidden && (old.groups.live > MaxMetrics || old.groups.find([]byte(cells.Overflow)) != 0) {
		return false
	}
	if own := slices.Index(to, has); own >= 0 {
		panels[has].accepted, panels[has].rare = d.panels[own].accepted, d.panels[own].rare
		if r := panels[has].rare; r != nil {
			r.keys = nil
		}
		to[own] = -1
	}
	if to[had] >= 0 {
		return true
	}
	to[had] = has
	return false
}

// copyNewest copies the newest values of one panel to another, empty one.
func (d *Dashboard) copyNewest(from, to int, v uint64) {
	p, q := &d.panels[from], &d.panels[to]
	layout := d.program.panels[to].layout
	for _, h := range d.byNumber(from) {
		key := d.set.At(h).Group
		if key == cells.Overflow || q.groups.live == MaxMetrics || d.full() {
			continue
		}
		sum := layout.New()
		layout.Merge(sum, p.accs.At(layout, d.entries[h].acc))
		n := d.newCell(to, q.groups.add(key), 0, 0, 0, v)
		d.attach(to, n)
		acc := q.accs.Take(layout)
		q.accs.Replace(layout, acc, sum)
		d.entries[n-1].acc = acc
	}
}

// removeCells removes all cells of a panel, ordered by number.
func (d *Dashboard) removeCells(i int, v uint64) {
	for _, h := range d.byNumber(i) {
		d.remove(h, v)
	}
}
