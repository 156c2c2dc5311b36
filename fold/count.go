package fold

import (
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/cells"
)

var countWindow = windowKind{
	name:   definition.Count,
	frozen: true,
	compile: func(pp *panelProgram, w definition.Window) (float64, error) {
		pp.size = int64(w.N)
		return 0, nil
	},
	keepLess: (*Dashboard).keepLessCounts,
	encode:   (*Dashboard).appendEntries,
	decode:   (*Dashboard).readEntries,
}

// count folds the event into windows of n events of one group, in log order (S11). A window is
// final when it is full; then its row is stored and its accumulator is free for the next window.
func (d *Dashboard) count(i int, a *arrival) (o outcome) {
	p, pp := &d.panels[i], &d.program.panels[i]
	var scratch [scratchBytes]byte
	key := pp.groupKey(scratch[:0], a.event)
	g := p.groups.find(key)
	if g == 0 {
		o.overflows = d.crowded(i)
		g = d.admit(i, key, o.overflows)
	}
	h := p.groups.at(g).next
	// The group's next window would exceed the bound of cells.
	if !o.overflows && h != 0 && d.entries[h-1].acc == 0 && d.full() {
		o.overflows = true
		g = d.overflow(i, key)
		h = p.groups.at(g).next
	}
	if h == 0 || d.entries[h-1].acc == 0 {
		h = d.nextCount(i, g, h, a.version)
		d.trimCounts(i, g, a.version)
	}
	e := &d.entries[h-1]
	a.Overflow = o.overflows
	o.unsampled = p.accs.Add(pp.layout, e.acc, &a.Sample)
	a.Overflow = false
	d.set.Touch(cells.Handle(h-1), a.version)
	if p.accs.At(pp.layout, e.acc).Words[0] == uint64(pp.size) {
		d.set.At(cells.Handle(h - 1)).Revision = 1
		d.writeRow(cells.Handle(h-1), i)
		p.accs.Give(pp.layout, e.acc)
		e.acc = 0
	}
	return o
}

// nextCount begins the group's next window; last is the previous one, if any.
func (d *Dashboard) nextCount(i int, g, last uint32, v uint64) uint32 {
	ordinal := int64(0)
	if last != 0 {
		ordinal = d.set.At(cells.Handle(last-1)).Start + 1
	}
	h := d.newCell(i, g, ordinal, ordinal+1, 0, v)
	d.entries[h-1].acc = d.panels[i].accs.Take(d.program.panels[i].layout)
	d.attach(i, h)
	return h
}

// trimCounts removes the group's windows beyond keep, oldest first.
func (d *Dashboard) trimCounts(i int, g uint32, v uint64) {
	h := d.panels[i].groups.at(g).next
	for n := d.program.panels[i].keep; h != 0 && n > 1; n-- {
		h = d.entries[h-1].next
	}
	if h == 0 {
		return
	}
	var gone []uint32
	for h = d.entries[h-1].next; h != 0; h = d.entries[h-1].next {
		gone = append(gone, h)
	}
	for j := len(gone) - 1; j >= 0; j-- {
		d.detach(i, gone[j])
		d.remove(cells.Handle(gone[j]-1), v)
	}
}

// keepLessCounts removes the windows of every group that a smaller keep no longer shows.
func (d *Dashboard) keepLessCounts(i int, v uint64) {
	p := &d.panels[i]
	var leaving []cells.Handle
	for _, h := range d.byNumber(i) {
		newest := d.set.At(cells.Handle(p.groups.at(d.entries[h].group).next - 1)).Start
		if d.set.At(h).Start <= newest-int64(d.program.panels[i].keep) {
			leaving = append(leaving, h)
		}
	}
	for _, h := range leaving {
		d.detach(i, uint32(h)+1)
		d.remove(h, v)
	}
}
