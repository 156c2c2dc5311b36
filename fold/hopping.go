package fold

import (
	"fmt"

	"github.com/dashfeed/dashfeed/fold/aggregate"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// Hopping windows overlap. An event goes to one pane of its group, whose length is the greatest
// common divisor of size and every; a window's row is the merge of its panes, in order of time.
// Only overflow rows have an accumulator of their own, because different keys overflow in different
// windows.

// panes holds a panel's panes.
type panes struct {
	list    []pane
	free    uint32 // first free pane, linked by next
	columns []column
}

// pane is the accumulator of one group for a span of time. References count from 1.
type pane struct {
	start int64
	acc   uint32
	group uint32
	next  uint32 // the group's next pane, with an earlier start
	peer  uint32 // the next pane with the same start
}

// column holds the panes with one start.
type column struct {
	start int64
	head  uint32
}

var hoppingWindow = windowKind{
	name:   definition.Hopping,
	shared: true, merges: true,
	compile: func(pp *panelProgram, w definition.Window) (float64, error) {
		if pp.every < 1 || pp.every > pp.size || pp.size/pp.every > MaxOverlap {
			return 0, fmt.Errorf("hopping %s every %s is not allowed: every is at most the size and at least a %dth of it", w.Size, w.Every, MaxOverlap)
		}
		pp.pane = gcd(pp.size, pp.every)
		return lengthOf(pp), nil
	},
	keepLess: (*Dashboard).keepLessShared,
	encode:   (*Dashboard).appendPanes,
	decode:   (*Dashboard).readPanes,
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// hopping folds the event into the windows that contain its time, latest first.
func (d *Dashboard) hopping(i int, a *arrival) (o outcome) {
	p, pp := &d.panels[i], &d.program.panels[i]
	at := floorTo(a.Time, pp.pane)
	latest := floorTo(at, pp.every)
	if latest+pp.size <= d.purged {
		o.refused = true
		return o
	}
	var scratch [scratchBytes]byte
	key := pp.groupKey(scratch[:0], a.event)
	own := false // a shown window has the key as its own
	for start := latest; start+pp.size > at && start+pp.size > d.purged; start -= pp.every {
		var h uint32
		if g := p.groups.find(key); g != 0 {
			h = d.cellAt(p.groups.at(g), start)
		}
		overflows := false
		if h == 0 {
			j := d.window(i, start, a.version)
			if w := &p.windows[j]; w.left {
				o.corrects = o.corrects || w.final
				continue
			}
			if h, overflows = d.windowCell(i, j, key, a.version); overflows {
				o.unsampled = d.addOverflow(i, h, a) || o.unsampled
				o.overflows = true
			}
		}
		own = own || !overflows
		c := d.set.At(cells.Handle(h - 1))
		if c.Revision > 0 {
			c.Revision++
			o.corrects = true
		}
		d.set.Touch(cells.Handle(h-1), a.version)
	}
	if own {
		g := p.groups.find(key)
		unsampled := p.accs.Add(pp.layout, d.pane(i, g, at), &a.Sample)
		o.unsampled = o.unsampled || unsampled || pp.sampled && d.beyondSamples(i, g, at)
	}
	return o
}

// beyondSamples reports whether a window that contains the pane has more events than samples are
// kept.
func (d *Dashboard) beyondSamples(i int, g uint32, at int64) bool {
	p, pp := &d.panels[i], &d.program.panels[i]
	list := p.rare.panes.list
	for h := p.groups.at(g).next; h != 0; h = d.entries[h-1].next {
		c := d.set.At(cells.Handle(h - 1))
		if c.Start > at || c.End <= at {
			continue
		}
		n := uint64(0)
		for x := p.groups.at(g).pane; x != 0; x = list[x-1].next {
			if c.Start <= list[x-1].start && list[x-1].start < c.End {
				n += p.accs.At(pp.layout, list[x-1].acc).Words[0]
			}
		}
		if n > MaxSamples {
			return true
		}
	}
	return false
}

func (d *Dashboard) addOverflow(i int, h uint32, a *arrival) (unsampled bool) {
	p, pp := &d.panels[i], &d.program.panels[i]
	e := &d.entries[h-1]
	if e.acc == 0 {
		e.acc = p.accs.Take(pp.layout)
	}
	a.Overflow = true
	unsampled = p.accs.Add(pp.layout, e.acc, &a.Sample)
	a.Overflow = false
	return unsampled
}

// pane finds or makes the group's pane and returns its accumulator.
func (d *Dashboard) pane(i int, g uint32, start int64) (acc uint32) {
	p := &d.panels[i]
	r := p.getRare()
	if r.panes == nil {
		r.panes = &panes{}
	}
	link := &p.groups.at(g).pane
	for *link != 0 && r.panes.list[*link-1].start > start {
		link = &r.panes.list[*link-1].next
	}
	if n := *link; n != 0 && r.panes.list[n-1].start == start {
		return r.panes.list[n-1].acc
	}
	x := pane{start: start, acc: p.accs.Take(d.program.panels[i].layout), group: g, next: *link}
	p.groups.at(g).refs++
	n := r.panes.free
	if n == 0 {
		n = uint32(len(r.panes.list) + 1)
	} else {
		r.panes.free = r.panes.list[n-1].next
	}
	*link = n // set it before the list grows: the link may lie in the list
	if int(n) > len(r.panes.list) {
		r.panes.list = append(r.panes.list, pane{})
	}
	c := r.panes.column(start)
	x.peer, c.head = c.head, n
	r.panes.list[n-1] = x
	return x.acc
}

// column finds or makes the column with that start.
func (s *panes) column(start int64) *column {
	at := len(s.columns)
	for at > 0 && s.columns[at-1].start >= start {
		if at--; s.columns[at].start == start {
			return &s.columns[at]
		}
	}
	s.columns = append(s.columns, column{})
	copy(s.columns[at+1:], s.columns[at:])
	s.columns[at] = column{start: start}
	return &s.columns[at]
}

// dropPanes drops the panes whose last window starts at or before the given time: that window was
// purged or left keep.
func (d *Dashboard) dropPanes(i int, window int64) {
	p, pp := &d.panels[i], &d.program.panels[i]
	if p.rare == nil || p.rare.panes == nil {
		return
	}
	s := p.rare.panes
	n := 0
	for n < len(s.columns) && s.columns[n].start < window+pp.every {
		for x := s.columns[n].head; x != 0; {
			e := s.list[x-1]
			link := &p.groups.at(e.group).pane
			for *link != x {
				link = &s.list[*link-1].next
			}
			*link = e.next
			p.accs.Give(pp.layout, e.acc)
			p.groups.release(e.group)
			s.list[x-1] = pane{next: s.free}
			s.free = x
			x = e.peer
		}
		n++
	}
	if n > 0 {
		s.columns = s.columns[:copy(s.columns, s.columns[n:])]
	}
}

// mergePanes merges the group's panes in [start, end), earliest first: the order affects the
// floating-point sum.
func (d *Dashboard) mergePanes(i int, g uint32, start, end int64) aggregate.Acc {
	p, pp := &d.panels[i], &d.program.panels[i]
	to := pp.layout.New()
	if p.rare == nil || p.rare.panes == nil {
		return to
	}
	list := p.rare.panes.list
	var in []uint32
	for x := p.groups.at(g).pane; x != 0 && list[x-1].start >= start; x = list[x-1].next {
		if list[x-1].start < end {
			in = append(in, list[x-1].acc)
		}
	}
	for j := len(in) - 1; j >= 0; j-- {
		pp.layout.Merge(to, p.accs.At(pp.layout, in[j]))
	}
	return to
}
