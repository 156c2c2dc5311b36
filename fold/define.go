package fold

import (
	"cmp"
	"math"
	"slices"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
)

// inForce is the definition record in force.
type inForce struct {
	revision uint64
	region   string
	deleted  bool // it took the dashboard's own definition away
}

// Define folds a definition record: a step and a break; a record of a lower (revision, region) than the one in
// force is a step only. p is compiled from r.Definition or, where that is nil, the tenant's default. Panels that are
// asked the same as before keep their state; with Reset nothing is kept but the version.
func (d *Dashboard) Define(at At, r definition.Record, p *Program) {
	v := d.step(at)
	revision, region, _ := d.InForce()
	if cmp.Or(cmp.Compare(r.Revision, revision), cmp.Compare(r.Region, region)) < 0 {
		return
	}
	d.inForce = &inForce{r.Revision, r.Region, r.Definition == nil}
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

// SetAside folds a record that makes the fold panic, in place of Event: a step and a break. metric is the event's, if known.
func (d *Dashboard) SetAside(at At, metric string) {
	d.step(at)
	d.getRare().setAside++
	d.refuse(at, &event.Event{Metric: metric}, 0, "panic")
	d.breakAt(at)
}

// breakAt begins a new epoch at a record.
func (d *Dashboard) breakAt(at At) {
	d.epoch = epochOf(d.region, d.key, at.Position)
	d.set.Forget()
}

// adopt changes the program and moves the state of unchanged panels to their new numbers.
func (d *Dashboard) adopt(p *Program, v uint64) {
	to := make([]int, len(d.panels))
	panels := make([]panel, len(p.panels))
	for i := range panels {
		panels[i].open = math.MaxInt64
	}
	for i := range d.panels {
		to[i] = slices.IndexFunc(p.panels, func(pp panelProgram) bool { return pp.identity == d.program.panels[i].identity })
		if to[i] >= 0 {
			panels[to[i]] = d.panels[i]
		} else if i != d.program.metrics || !d.hide(p, i, to) {
			d.removeCells(i, v)
		} else {
			panels[to[i]] = d.panels[i]
			panels[to[i]].accepted, panels[to[i]].rare = 0, nil
		}
	}
	d.program, d.panels = p, panels
	d.set.Renumber(to)
	for i := range d.panels {
		d.keepLess(i, v)
	}
	d.obey(v)
}

// hide makes a visible panel that served as the newest value of each metric, and that the new program has no more,
// into the hidden one: newest values outlive definitions.
func (d *Dashboard) hide(p *Program, i int, to []int) bool {
	hidden := p.metrics
	if !p.panels[hidden].hidden || p.def.Tie != d.program.def.Tie || d.panels[i].groups.live > MaxMetrics ||
		d.panels[i].groups.find([]byte(cells.Overflow)) != 0 {
		return false
	}
	to[i] = hidden
	return true
}

// removeCells removes all cells of a panel, in order of number.
func (d *Dashboard) removeCells(i int, v uint64) {
	for _, h := range d.byNumber(i) {
		d.remove(h, v)
	}
}
