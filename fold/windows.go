package fold

import (
	"cmp"
	"math"
	"slices"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// window is a window of time that all groups share (tumbling, hopping). It is remembered until it
// is purged and has left keep.
type window struct {
	start      int64
	head, tail uint32 // handle + 1 of its cells, in order of creation; 0 after it left keep
	groups     uint32 // how many keys it has, without the overflow group
	final      bool
	left       bool // it has left keep and never shows again
	// a key was turned away: from now on so is every new one, whatever a later definition allows
	full bool
}

// window returns the index of the window with that start, and creates it if needed. References to
// other windows become invalid.
func (d *Dashboard) window(i int, start int64, v uint64) int {
	p, pp := &d.panels[i], &d.program.panels[i]
	at := len(p.windows)
	for at > 0 && p.windows[at-1].start >= start {
		if at--; p.windows[at].start == start {
			return at
		}
	}
	w := window{start: start, final: d.watermark != messages.NoTime && start+pp.size <= d.watermark}
	shown := len(p.windows) - int(p.left)
	switch {
	case shown < pp.keep:
	case p.firstShown() >= at: // older than all shown windows
		w.left = true
		p.left++
	default:
		at -= d.leave(i, p.firstShown(), v)
	}
	if len(p.windows) == cap(p.windows) {
		p.windows = slices.Grow(p.windows, 1+len(p.windows)/2)
	}
	p.windows = slices.Insert(p.windows, at, w)
	if !w.final {
		p.open = min(p.open, start+pp.size)
	}
	return at
}

// firstShown returns the index of the oldest window that has not left keep.
func (p *panel) firstShown() int {
	if p.left == 0 {
		return 0
	}
	return slices.IndexFunc(p.windows, func(w window) bool { return !w.left })
}

// finish makes the panel's windows final that end at or before the given time. It reports whether a
// cell changed.
func (d *Dashboard) finish(i int, end int64, v uint64) (changed bool) {
	p, pp := &d.panels[i], &d.program.panels[i]
	if p.rare != nil && p.rare.sessions != nil {
		return d.finishSessions(i, end, v)
	}
	p.open = math.MaxInt64
	for j := range p.windows {
		w := &p.windows[j]
		if w.final {
			continue
		}
		if w.start+pp.size > end {
			p.open = min(p.open, w.start+pp.size)
			continue
		}
		w.final = true
		for h := w.head; h != 0; h = d.entries[h-1].peer {
			d.set.At(cells.Handle(h - 1)).Revision = 1
			d.set.Touch(cells.Handle(h-1), v)
			changed = true
		}
	}
	return changed
}

// purge drops the accumulators of the windows that accept no more corrections.
func (d *Dashboard) purge(i int) {
	p, pp := &d.panels[i], &d.program.panels[i]
	for int(p.gone) < len(p.windows) && p.windows[p.gone].start+pp.size <= d.purged {
		w := &p.windows[p.gone]
		for h := w.head; h != 0; h = d.entries[h-1].peer {
			d.writeRow(cells.Handle(h-1), i)
			d.detach(i, h)
		}
		d.dropPanes(i, w.start)
		if w.left {
			p.windows = slices.Delete(p.windows, int(p.gone), int(p.gone)+1)
			p.left--
			continue
		}
		p.gone++
	}
}

// leave removes the cells of a window that leaves keep. It returns 1 if the window itself is
// forgotten, else 0.
func (d *Dashboard) leave(i, at int, v uint64) (forgotten int) {
	p := &d.panels[i]
	w := &p.windows[at]
	purged := at < int(p.gone)
	for h := w.head; h != 0; {
		e := d.entries[h-1]
		if !purged {
			d.detach(i, h)
		}
		d.remove(cells.Handle(h-1), v)
		h = e.peer
	}
	if purged {
		p.windows = slices.Delete(p.windows, at, at+1)
		p.gone--
		return 1
	}
	w.head, w.tail, w.left = 0, 0, true
	p.left++
	d.dropPanes(i, w.start)
	return 0
}

// keepLessShared removes the shared windows that a smaller keep no longer shows.
func (d *Dashboard) keepLessShared(i int, v uint64) {
	p := &d.panels[i]
	for len(p.windows)-int(p.left) > d.program.panels[i].keep {
		d.leave(i, p.firstShown(), v)
	}
}

// detach removes a cell's accumulator and takes the cell out of its group's list.
func (d *Dashboard) detach(i int, h uint32) {
	p := &d.panels[i]
	e := &d.entries[h-1]
	link := &p.groups.at(e.group).next
	for *link != h {
		link = &d.entries[*link-1].next
	}
	*link = e.next
	if e.acc != 0 {
		p.accs.Give(d.program.panels[i].layout, e.acc)
	}
	p.groups.release(e.group)
	e.acc, e.group, e.next = 0, 0, 0
}

// attach inserts a cell into its group's list, latest start first.
func (d *Dashboard) attach(i int, h uint32) {
	e := &d.entries[h-1]
	g := d.panels[i].groups.at(e.group)
	g.refs++
	start := d.set.At(cells.Handle(h - 1)).Start
	link := &g.next
	for *link != 0 && d.set.At(cells.Handle(*link-1)).Start > start {
		link = &d.entries[*link-1].next
	}
	e.next = *link
	*link = h
}

// appendCell puts a cell at the end of its window's list.
func (d *Dashboard) appendCell(w *window, h uint32) {
	if w.tail == 0 {
		w.head = h
	} else {
		d.entries[w.tail-1].peer = h
	}
	w.tail = h
}

// cellAt returns the group's cell with that start (handle + 1), or 0.
func (d *Dashboard) cellAt(g *group, start int64) uint32 {
	for h := g.next; h != 0; h = d.entries[h-1].next {
		if s := d.set.At(cells.Handle(h - 1)).Start; s <= start {
			if s == start {
				return h
			}
			return 0
		}
	}
	return 0
}

// find returns the index of the window with that start.
func (p *panel) find(start int64) (int, bool) {
	return slices.BinarySearchFunc(p.windows, start, func(w window, s int64) int { return cmp.Compare(w.start, s) })
}
