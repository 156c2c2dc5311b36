package fold

import (
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/cells"
)

var latestWindow = windowKind{
	name: definition.Latest,
	compile: func(pp *panelProgram, _ definition.Window) (float64, error) {
		pp.size = 1
		return 0, nil
	},
	encode: (*Dashboard).appendEntries,
	decode: (*Dashboard).readEntries,
}

// latest folds the event into the group's one cell, which is never final and never late. If its
// columns are those of the newest event, an older event changes nothing.
func (d *Dashboard) latest(i int, a *arrival) (o outcome) {
	p, pp := &d.panels[i], &d.program.panels[i]
	var scratch [scratchBytes]byte
	key := pp.groupKey(scratch[:0], a.event)
	g := p.groups.find(key)
	if g == 0 {
		if o.overflows = d.crowded(i); o.overflows && pp.hidden {
			return o
		}
		g = d.admit(i, key, o.overflows)
	}
	h := p.groups.at(g).next
	if h == 0 {
		h = d.newCell(i, g, 0, 0, 0, a.version)
		d.entries[h-1].acc = p.accs.Take(pp.layout)
		d.attach(i, h)
	}
	acc := d.entries[h-1].acc
	if pp.newest {
		newer, unsampled := p.accs.AddNewest(pp.layout, acc, &a.Sample)
		if newer {
			d.set.Touch(cells.Handle(h-1), a.version)
		}
		o.unsampled = unsampled
		return o
	}
	a.Overflow = o.overflows
	o.unsampled = p.accs.Add(pp.layout, acc, &a.Sample)
	a.Overflow = false
	d.set.Touch(cells.Handle(h-1), a.version)
	return o
}

// admit makes the group of a new key, or returns the overflow group.
func (d *Dashboard) admit(i int, key []byte, overflows bool) uint32 {
	if overflows {
		return d.overflow(i, key)
	}
	return d.group(i, 0, key)
}
