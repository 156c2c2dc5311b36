package fold

import (
	"cmp"
	"math"
	"slices"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

var sessionWindow = windowKind{
	name:    definition.Session,
	compile: func(*panelProgram, definition.Window) (float64, error) { return 0, nil },
	encode:  (*Dashboard).appendSessions,
	decode:  (*Dashboard).readSessions,
}

// session folds the event into the session that it extends, bridges or begins (S9): it merges first
// and judges afterwards.
func (d *Dashboard) session(i int, a *arrival) (o outcome) {
	p, pp := &d.panels[i], &d.program.panels[i]
	var scratch [scratchBytes]byte
	key := pp.groupKey(scratch[:0], a.event)
	g := p.groups.find(key)
	var few [4]uint32
	parts := d.touching(few[:0], i, g, a.Time, pp.size)
	if len(parts) == 0 {
		if o.overflows = g == 0 && d.crowded(i) || g != 0 && d.full(); o.overflows {
			parts = d.touching(parts, i, p.groups.find([]byte(cells.Overflow)), a.Time, pp.size)
		}
		switch {
		case len(parts) == 0 && a.Time+pp.size <= d.purged:
			return outcome{refused: true}
		case o.overflows:
			g = d.overflow(i, key)
		default:
			g = d.group(i, g, key)
		}
	}
	var x uint32
	switch {
	case len(parts) == 0:
		x = d.beginSession(i, g, a)
	case len(parts) == 1 && p.rare.sessions.at(parts[0]).start <= a.Time:
		x = parts[0]
	default:
		x = d.mergeSessions(i, parts, a)
	}
	s := p.rare.sessions
	e := s.at(x)
	s.grow(x, max(e.end, a.Time+pp.size))
	o.corrects = e.final
	if e.cell != 0 {
		c := d.set.At(cells.Handle(e.cell - 1))
		if e.final {
			c.Revision++
		}
		c.End = e.end
		d.set.Touch(cells.Handle(e.cell-1), a.version)
		a.Overflow = o.overflows
		o.unsampled = p.accs.Add(pp.layout, d.entries[e.cell-1].acc, &a.Sample)
		a.Overflow = false
	}
	p.open = s.open()
	return o
}

// touching returns the group's unpurged sessions that [t, t+gap) overlaps or touches, latest first.
func (d *Dashboard) touching(parts []uint32, i int, g uint32, t, gap int64) []uint32 {
	p := &d.panels[i]
	if g == 0 || p.rare == nil || p.rare.sessions == nil {
		return parts
	}
	s := p.rare.sessions
	for x := p.groups.at(g).next; x != 0; x = s.at(x).next {
		e := s.at(x)
		if e.end < t || e.end <= d.purged { // the remaining sessions end even earlier
			break
		}
		if e.start <= t+gap {
			parts = append(parts, x)
		}
	}
	return parts
}

// beginSession makes a session for one event, without adding the event.
func (d *Dashboard) beginSession(i int, g uint32, a *arrival) uint32 {
	p, pp := &d.panels[i], &d.program.panels[i]
	r := p.getRare()
	if r.sessions == nil {
		r.sessions = &sessions{}
	}
	end := a.Time + pp.size
	n := session{start: a.Time, end: end, group: g, final: d.watermark != messages.NoTime && end <= d.watermark}
	n.left = d.watermark != messages.NoTime && end <= d.leftBefore(i)
	x := d.linkSession(i, n)
	if !n.left {
		revision := uint32(0)
		if n.final {
			revision = 1 // as if it had been final and empty; the event makes it 2
		}
		d.sessionCell(i, x, revision, a.version)
	}
	r.sessions.wait(x, false)
	return x
}

// linkSession inserts a session into its group's list, ordered by end.
func (d *Dashboard) linkSession(i int, n session) uint32 {
	p := &d.panels[i]
	s := p.rare.sessions
	x := s.add(n)
	g := p.groups.at(n.group)
	g.refs++
	link := &g.next
	for *link != 0 && s.at(*link).end > n.end {
		link = &s.at(*link).next
	}
	s.at(x).next = *link
	*link = x
	return x
}

// sessionCell gives a session its cell and an accumulator.
func (d *Dashboard) sessionCell(i int, x, revision uint32, v uint64) {
	p := &d.panels[i]
	e := p.rare.sessions.at(x)
	e.cell = d.newCell(i, e.group, e.start, e.end, revision, v)
	d.entries[e.cell-1].acc = p.accs.Take(d.program.panels[i].layout)
}

// mergeSessions merges the sessions that an event bridges or begins earlier (parts has the latest
// first). The part with the least start keeps its cell unless the start changes. If a part has left
// keep, the merged session stays hidden: the samples of that part are gone.
func (d *Dashboard) mergeSessions(i int, parts []uint32, a *arrival) uint32 {
	p, pp := &d.panels[i], &d.program.panels[i]
	s := p.rare.sessions
	first := parts[len(parts)-1]
	merged := *s.at(first)
	merged.start = min(merged.start, a.Time)
	revision := uint32(0)
	sum := pp.layout.New()
	for _, x := range slices.Backward(parts) {
		e := s.at(x)
		merged.end = max(merged.end, e.end)
		merged.final, merged.left = merged.final || e.final, merged.left || e.left
		if e.cell != 0 {
			revision = max(revision, d.set.At(cells.Handle(e.cell-1)).Revision)
			pp.layout.Merge(sum, p.accs.At(pp.layout, d.entries[e.cell-1].acc))
		}
	}
	keeps := merged.start == s.at(first).start && !merged.left && s.at(first).cell != 0
	merged.cell, merged.place = 0, [3]uint32{}
	p.groups.at(merged.group).refs++ // keeps the group alive while its parts end
	for _, x := range slices.Backward(parts) {
		cell := s.at(x).cell
		if x == first && keeps {
			merged.cell, s.at(x).cell = cell, 0
		}
		d.endSession(i, x, a.version)
	}
	for x := p.groups.at(merged.group).next; x != 0; x = s.at(x).next {
		// Purged but shown: a cell is named by start and group, so there cannot be two.
		if s.at(x).start == merged.start {
			d.endSession(i, x, a.version)
			break
		}
	}
	x := d.linkSession(i, merged)
	p.groups.release(merged.group)
	switch e := s.at(x); {
	case merged.left:
	case keeps:
		d.set.At(cells.Handle(e.cell - 1)).Revision = revision
	default:
		d.sessionCell(i, x, revision, a.version)
	}
	if e := s.at(x); e.cell != 0 {
		acc := d.entries[e.cell-1].acc
		p.accs.Replace(pp.layout, acc, sum)
	}
	s.wait(x, false)
	return x
}

// endSession forgets a session and removes its cell if it has one.
func (d *Dashboard) endSession(i int, x uint32, v uint64) {
	p := &d.panels[i]
	s := p.rare.sessions
	if cell := s.at(x).cell; cell != 0 {
		d.dropSessionAcc(i, cell)
		d.remove(cells.Handle(cell-1), v)
	}
	s.removeFromHeaps(x)
	g := s.at(x).group
	link := &p.groups.at(g).next
	for *link != x {
		link = &s.at(*link).next
	}
	*link = s.at(x).next
	*s.at(x) = session{next: s.free}
	s.free = x
	p.groups.release(g)
}

func (d *Dashboard) dropSessionAcc(i int, cell uint32) {
	if e := &d.entries[cell-1]; e.acc != 0 {
		d.panels[i].accs.Give(d.program.panels[i].layout, e.acc)
		e.acc = 0
	}
}

// leftBefore returns the end up to which sessions have left keep.
func (d *Dashboard) leftBefore(i int) int64 {
	pp := &d.program.panels[i]
	if int64(pp.keep) > farthest/pp.size {
		return math.MinInt64
	}
	return d.watermark - int64(pp.keep)*pp.size
}

// finishSessions makes the sessions final that end at or before the given time.
func (d *Dashboard) finishSessions(i int, end int64, v uint64) (changed bool) {
	p := &d.panels[i]
	s := p.rare.sessions
	for x := s.pop(untilFinal, end); x != 0; x = s.pop(untilFinal, end) {
		e := s.at(x)
		e.final = true
		if e.cell != 0 {
			d.set.At(cells.Handle(e.cell - 1)).Revision = 1
			d.set.Touch(cells.Handle(e.cell-1), v)
			changed = true
		}
	}
	p.open = s.open()
	return changed
}

// applyWatermarkToSessions does what W requires. It removes cells in order of their numbers,
// whatever the order of the heap.
func (d *Dashboard) applyWatermarkToSessions(i int, v uint64) {
	s := d.panels[i].rare.sessions
	d.finishSessions(i, d.watermark, v)
	for x := s.pop(untilPurged, d.purged); x != 0; x = s.pop(untilPurged, d.purged) {
		if cell := s.at(x).cell; cell != 0 {
			d.writeRow(cells.Handle(cell-1), i)
			d.dropSessionAcc(i, cell)
		}
		if s.at(x).left {
			d.endSession(i, x, v)
		}
	}
	var leaving []uint32
	for x := s.pop(untilLeft, d.leftBefore(i)); x != 0; x = s.pop(untilLeft, d.leftBefore(i)) {
		leaving = append(leaving, x)
	}
	number := func(x uint32) uint32 { return d.set.At(cells.Handle(s.at(x).cell - 1)).Number }
	slices.SortFunc(leaving, func(x, y uint32) int { return cmp.Compare(number(x), number(y)) })
	for _, x := range leaving {
		e := s.at(x)
		d.dropSessionAcc(i, e.cell)
		d.remove(cells.Handle(e.cell-1), v)
		e.cell, e.left = 0, true
		if e.place[untilPurged] == 0 {
			d.endSession(i, x, v)
		}
	}
}
