package fold

import (
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// scratchBytes is the length of a key up to which building it does not allocate.
const scratchBytes = 128

var tumblingWindow = windowKind{
	name:   definition.Tumbling,
	shared: true,
	compile: func(pp *panelProgram, w definition.Window) (float64, error) {
		pp.every = pp.size
		return lengthOf(pp), nil
	},
	keepLess: (*Dashboard).keepLessShared,
	encode:   (*Dashboard).appendEntries,
	decode:   (*Dashboard).readEntries,
}

// tumbling folds the event into the one window that contains its time.
func (d *Dashboard) tumbling(i int, a *arrival) (o outcome) {
	p, pp := &d.panels[i], &d.program.panels[i]
	start := floorTo(a.Time, pp.size)
	if start+pp.size <= d.purged {
		o.refused = true
		return o
	}
	var scratch [scratchBytes]byte
	key := pp.groupKey(scratch[:0], a.event)
	g := p.groups.find(key)
	var h uint32
	if g != 0 {
		h = d.cellAt(p.groups.at(g), start)
	}
	if h == 0 {
		if h = d.tumblingCell(i, key, start, a, &o); h == 0 {
			return o
		}
	}
	c := d.set.At(cells.Handle(h - 1))
	if c.Revision > 0 { // the window is final
		c.Revision++
		o.corrects = true
	}
	d.set.Touch(cells.Handle(h-1), a.version)
	a.Overflow = o.overflows
	o.unsampled = p.accs.Add(pp.layout, d.entries[h-1].acc, &a.Sample)
	a.Overflow = false
	return o
}

// tumblingCell finds or makes the cell of an event whose group has none in that window: the group's
// own, or the overflow row. It returns 0 if the window has left keep.
func (d *Dashboard) tumblingCell(i int, key []byte, start int64, a *arrival, o *outcome) uint32 {
	p, pp := &d.panels[i], &d.program.panels[i]
	at := d.window(i, start, a.version)
	if p.windows[at].left {
		o.corrects = p.windows[at].final
		return 0
	}
	h, overflows := d.windowCell(i, at, key, a.version)
	o.overflows = overflows
	if d.entries[h-1].acc == 0 {
		d.entries[h-1].acc = p.accs.Take(pp.layout)
	}
	return h
}

// windowCell finds or makes the cell of a group that has none of its own in the window: its own if
// the window accepts another key, else the overflow row.
func (d *Dashboard) windowCell(i, at int, key []byte, v uint64) (h uint32, overflows bool) {
	p, pp := &d.panels[i], &d.program.panels[i]
	w := &p.windows[at]
	var g uint32
	if int(w.groups) >= pp.maxGroups || w.full || d.full() {
		w.full = true
		g = d.overflow(i, key)
		if h = d.cellAt(p.groups.at(g), w.start); h != 0 {
			return h, true
		}
		overflows = true
	} else {
		// The group may have been removed while windows left keep for this one.
		g = d.group(i, p.groups.find(key), key)
		w.groups++
	}
	revision := uint32(0)
	if w.final {
		revision = 1 // as if it had been final and empty; the event makes it 2
	}
	h = d.newCell(i, g, w.start, w.start+pp.size, revision, v)
	d.attach(i, h)
	d.appendCell(w, h)
	return h, overflows
}
