package fold

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// The panels' part of the state, for each panel:
//
//	accepted filtered late_dropped late_accepted overflowed unsampled too_costly | overflowed keys
//	n, n windows by start: start flags
//	for each of its cells, by number: how its row is made, accumulator
//	n, n panes by (start, group): start group accumulator
//	n, n sessions by (group, start): group start end flags number+1 how accumulator

// How a cell's row is made.
const (
	rowStored = 0 // the row never changes: its window is purged
	rowMerged = 1 // the row is merged from panes, or complete (a full count window)
	rowOwn    = 2 // the cell has its own accumulator, which follows
)

const (
	flagFinal = 1 << iota
	flagLeft
	flagFull
)

func flags(final, left, full bool) byte {
	var f byte
	for i, set := range []bool{final, left, full} {
		if set {
			f |= 1 << i
		}
	}
	return f
}

func (d *Dashboard) appendPanels(b []byte) []byte {
	for i := range d.panels {
		p := &d.panels[i]
		r := p.rare
		if r == nil {
			r = &panelRare{}
		}
		for _, n := range []uint64{p.accepted, r.filtered, r.lateDropped, r.lateAccepted, r.overflowed, r.unsampled, r.tooCostly} {
			b = binary.AppendUvarint(b, n)
		}
		b = appendBool(b, r.keys != nil)
		if r.keys != nil {
			b = r.keys.append(b)
		}
		b = binary.AppendUvarint(b, uint64(len(p.windows)))
		for _, w := range p.windows {
			b = append(binary.AppendVarint(b, w.start), flags(w.final, w.left, w.full))
		}
		b = d.program.panels[i].kind.encode(d, b, i)
	}
	return b
}

// byNumber returns the panel's cells, ordered by number.
func (d *Dashboard) byNumber(i int) []cells.Handle {
	var hs []cells.Handle
	d.set.Each(uint16(i), 0, func(h cells.Handle) bool {
		hs = append(hs, h)
		return true
	})
	slices.SortFunc(hs, func(a, b cells.Handle) int { return cmp.Compare(d.set.At(a).Number, d.set.At(b).Number) })
	return hs
}

func (d *Dashboard) appendEntries(b []byte, i int) []byte {
	p, pp := &d.panels[i], &d.program.panels[i]
	for _, h := range d.byNumber(i) {
		switch e := d.entries[h]; {
		case e.group == 0:
			b = append(b, rowStored)
		case e.acc == 0:
			b = append(b, rowMerged)
		default:
			b = pp.layout.Append(append(b, rowOwn), p.accs.At(pp.layout, e.acc))
		}
	}
	return b
}

func (d *Dashboard) appendPanes(b []byte, i int) []byte {
	b = d.appendEntries(b, i)
	p, pp := &d.panels[i], &d.program.panels[i]
	if p.rare == nil || p.rare.panes == nil {
		return append(b, 0)
	}
	s := p.rare.panes
	var all []uint32
	for _, c := range s.columns {
		for x := c.head; x != 0; x = s.list[x-1].peer {
			all = append(all, x)
		}
	}
	key := func(x uint32) cells.Group { return p.groups.at(s.list[x-1].group).key }
	slices.SortFunc(all, func(x, y uint32) int {
		return cmp.Or(cmp.Compare(s.list[x-1].start, s.list[y-1].start), cmp.Compare(key(x), key(y)))
	})
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, x := range all {
		b = binary.AppendVarint(b, s.list[x-1].start)
		b = codec.AppendString(b, key(x))
		b = pp.layout.Append(b, p.accs.At(pp.layout, s.list[x-1].acc))
	}
	return b
}

func (d *Dashboard) appendSessions(b []byte, i int) []byte {
	p, pp := &d.panels[i], &d.program.panels[i]
	if p.rare == nil || p.rare.sessions == nil {
		return append(b, 0)
	}
	s := p.rare.sessions
	var all []uint32
	for g := range p.groups.list {
		if p.groups.list[g].refs > 0 {
			for x := p.groups.list[g].next; x != 0; x = s.at(x).next {
				all = append(all, x)
			}
		}
	}
	key := func(x uint32) cells.Group { return p.groups.at(s.at(x).group).key }
	slices.SortFunc(all, func(x, y uint32) int {
		return cmp.Or(cmp.Compare(key(x), key(y)), cmp.Compare(s.at(x).start, s.at(y).start))
	})
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, x := range all {
		e := s.at(x)
		b = codec.AppendString(b, key(x))
		b = binary.AppendVarint(b, e.start)
		b = binary.AppendVarint(b, e.end)
		b = append(b, flags(e.final, e.left, false))
		if e.cell == 0 {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(d.set.At(cells.Handle(e.cell-1)).Number)+1)
		if acc := d.entries[e.cell-1].acc; acc != 0 {
			b = pp.layout.Append(append(b, rowOwn), p.accs.At(pp.layout, acc))
		} else {
			b = append(b, rowStored)
		}
	}
	return b
}

func (d *Dashboard) readPanels(r *codec.Reader) {
	d.panels = make([]panel, len(d.program.panels))
	numbered := 0
	for i := range d.panels {
		p := &d.panels[i]
		p.open = math.MaxInt64
		numbered += len(d.byNumber(i))
		var x panelRare
		for _, n := range []*uint64{&p.accepted, &x.filtered, &x.lateDropped, &x.lateAccepted, &x.overflowed, &x.unsampled, &x.tooCostly} {
			*n = r.Uvarint()
		}
		if r.Byte() != 0 {
			x.keys = readOverflowKeys(r)
		}
		if x != (panelRare{}) {
			p.rare = &x
		}
		d.readWindows(r, i)
		d.program.panels[i].kind.decode(d, r, i)
		if r.Failed {
			return
		}
	}
	r.Check(numbered == d.set.Len())
}

func (d *Dashboard) readWindows(r *codec.Reader, i int) {
	p, pp := &d.panels[i], &d.program.panels[i]
	n := r.Count(2)
	r.Check(n == 0 || pp.kind.shared)
	if r.Failed {
		return
	}
	p.windows = make([]window, n)
	for j := range p.windows {
		start, f := r.Varint(), r.Byte()
		w := window{start: start, final: f&flagFinal != 0, left: f&flagLeft != 0, full: f&flagFull != 0}
		r.Check(start == clampTime(start) && floorTo(start, pp.every) == start && (j == 0 || p.windows[j-1].start < start))
		if r.Failed {
			return
		}
		p.windows[j] = w
		if w.left {
			p.left++
		}
		if start+pp.size <= d.purged {
			p.gone++
			r.Check(!w.left && w.final)
		}
		if !w.final {
			p.open = min(p.open, start+pp.size)
		}
	}
}

// refer returns the group of that key, and creates it if needed, for a cell, session or pane that
// refers to it.
func (d *Dashboard) refer(i int, key cells.Group) uint32 {
	p := &d.panels[i]
	if g := p.groups.find([]byte(key)); g != 0 {
		return g
	}
	return p.groups.add(d.keyFor(i, []byte(key)))
}

// hold makes room for the entry of a cell and returns it.
func (d *Dashboard) hold(h cells.Handle) *entry {
	for int(h) >= len(d.entries) {
		d.entries = appendTight(d.entries, entry{})
	}
	return &d.entries[h]
}

func (d *Dashboard) readEntries(r *codec.Reader, i int) {
	p, pp := &d.panels[i], &d.program.panels[i]
	for _, h := range d.byNumber(i) {
		c := d.set.At(h)
		e := d.hold(h)
		how := r.Byte()
		gone := false
		if len(p.windows) > 0 || pp.every > 0 {
			at, ok := p.find(c.Start)
			r.Check(ok && !p.windows[at].left && c.End == c.Start+pp.size)
			if r.Failed {
				return
			}
			gone = at < int(p.gone)
			d.appendCell(&p.windows[at], uint32(h)+1)
			if c.Group != cells.Overflow && !gone {
				p.windows[at].groups++
			}
		}
		ownAcc := !pp.kind.merges || c.Group == cells.Overflow
		r.Check(c.Number < d.set.NextNumber() && how <= rowOwn && gone == (how == rowStored))
		r.Check(how != rowOwn || ownAcc)
		r.Check(how != rowMerged || !ownAcc || pp.kind.frozen)
		if r.Failed {
			return
		}
		if how == rowStored {
			continue
		}
		e.group = d.refer(i, c.Group)
		c.Group = p.groups.at(e.group).key
		d.attach(i, uint32(h)+1)
		if how == rowOwn {
			e.acc = p.accs.Take(pp.layout)
			pp.layout.Read(r, &p.accs, e.acc)
		}
	}
}

func (d *Dashboard) readPanes(r *codec.Reader, i int) {
	d.readEntries(r, i)
	p, pp := &d.panels[i], &d.program.panels[i]
	n := r.Count(3)
	for j := 0; j < n && !r.Failed; j++ {
		start, key := r.Varint(), cells.Group(r.Bytes())
		r.Check(start == clampTime(start) && floorTo(start, pp.pane) == start)
		if r.Failed {
			return
		}
		acc := d.pane(i, d.refer(i, key), start)
		pp.layout.Read(r, &p.accs, acc)
	}
}

func (d *Dashboard) readSessions(r *codec.Reader, i int) {
	p := &d.panels[i]
	hs := d.byNumber(i)
	used := 0
	n := r.Count(5)
	if n > 0 {
		p.getRare().sessions = &sessions{}
	}
	for j := 0; j < n && !r.Failed; j++ {
		key := cells.Group(r.Bytes())
		x := session{start: r.Varint(), end: r.Varint()}
		f, number := r.Byte(), r.Uvarint()
		x.final, x.left = f&flagFinal != 0, f&flagLeft != 0
		purged := x.end <= d.purged
		r.Check(x.start == clampTime(x.start) && x.end > x.start && x.end <= 2*farthest && x.left == (number == 0) && !(x.left && purged))
		if r.Failed {
			return
		}
		x.group = d.refer(i, key)
		ref := d.linkSession(i, x)
		e := p.rare.sessions.at(ref)
		if number > 0 {
			at, ok := slices.BinarySearchFunc(hs, number-1, func(h cells.Handle, n uint64) int {
				return cmp.Compare(uint64(d.set.At(h).Number), n)
			})
			r.Check(ok && number <= uint64(d.set.NextNumber()))
			if r.Failed {
				return
			}
			used++
			d.readSessionCell(r, i, e, hs[at], purged)
		}
		p.rare.sessions.wait(ref, purged)
	}
	r.Check(used == len(hs))
	if p.rare != nil && p.rare.sessions != nil {
		p.open = p.rare.sessions.open()
	}
}

func (d *Dashboard) readSessionCell(r *codec.Reader, i int, e *session, h cells.Handle, purged bool) {
	p, pp := &d.panels[i], &d.program.panels[i]
	x := d.hold(h)
	r.Check(x.group == 0 && d.set.At(h).Group == p.groups.at(e.group).key)
	if r.Failed {
		return
	}
	d.set.At(h).Group = p.groups.at(e.group).key
	e.cell, x.group = uint32(h)+1, e.group
	how := r.Byte()
	r.Check(how == rowOwn && !purged || how == rowStored && purged)
	if !r.Failed && how == rowOwn {
		x.acc = p.accs.Take(pp.layout)
		pp.layout.Read(r, &p.accs, x.acc)
	}
}
