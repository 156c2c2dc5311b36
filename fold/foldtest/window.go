package foldtest

import (
	"cmp"
	"slices"
)

// panel is a panel with every window it ever had.
type panel struct {
	Panel
	dashboard  *Dashboard
	windows    []*window
	counter    PanelCounter
	overflowed map[string]bool // the distinct keys that went to the overflow group
}

// window is one window of all groups (tumbling, hopping), or of one group (session, count, latest).
type window struct {
	kind       string
	start, end int64
	final      bool
	hidden     bool // it has left keep
	groups     []*group
}

// timed reports whether the window has an end in event time.
func (w *window) timed() bool { return w.kind != "count" && w.kind != "latest" }

// group is what a window holds for one group, and its cell.
type group struct {
	name     string
	events   []arrival
	revision uint32
	serial   int
}

func (w *window) group(name string) *group {
	for _, g := range w.groups {
		if g.name == name {
			return g
		}
	}
	return nil
}

// fold puts an accepted event into the windows it maps to; it returns false if all of them refuse
// it (S3).
func (p *panel) fold(a arrival) (entered bool) {
	switch p.Kind {
	case "tumbling":
		return p.foldTimed(a, []int64{floor(a.time, p.Size)})
	case "hopping":
		var starts []int64
		for s := floor(a.time, p.Every); s+p.Size > a.time; s -= p.Every {
			starts = append(starts, s)
		}
		return p.foldTimed(a, starts)
	case "session":
		return p.foldSession(a)
	case "count":
		p.foldCount(a)
	case "latest":
		p.foldLatest(a)
	}
	return true
}

// floor returns the greatest multiple of size that is not after t (S1).
func floor(t, size int64) int64 {
	rest := t % size
	if rest < 0 {
		rest += size
	}
	return t - rest
}

func (p *panel) foldTimed(a arrival, starts []int64) (entered bool) {
	corrects, overflows, unsampled := false, false, false
	var entering []*window
	for _, start := range starts {
		if start+p.Size > p.dashboard.purgedUpTo {
			entering = append(entering, p.windowAt(start))
		}
	}
	p.leave() // a window that the event itself pushes out of keep no longer shows it
	for _, w := range entering {
		corrects = corrects || w.final
		if w.hidden {
			continue
		}
		name := GroupOf(p.GroupBy, a.Event)
		if w.group(name) == nil && (w.group(OverflowGroup) != nil || len(w.groups) >= p.MaxGroups) {
			p.overflowed[name] = true
			name, overflows = OverflowGroup, true
		}
		g := p.add(w, name, a)
		unsampled = unsampled || p.beyondSamples(g)
		if w.final {
			g.revision++
		}
	}
	p.count(corrects, overflows, unsampled)
	return len(entering) > 0
}

func (p *panel) count(corrects, overflows, unsampled bool) {
	if corrects {
		p.counter.LateAccepted++
	}
	if overflows {
		p.counter.Overflowed++
	}
	if unsampled {
		p.counter.Unsampled++
	}
}

func (p *panel) beyondSamples(g *group) bool {
	sampled := slices.Contains(p.Aggregates, "increase") || slices.Contains(p.Aggregates, "delta")
	return sampled && g.name != OverflowGroup && len(g.events) > MaxSamples
}

func (p *panel) windowAt(start int64) *window {
	for _, w := range p.windows {
		if w.start == start {
			return w
		}
	}
	end := start + p.Size
	passed := p.dashboard.watermark != Never && p.dashboard.watermark >= end
	w := &window{kind: p.Kind, start: start, end: end, final: passed}
	p.windows = append(p.windows, w)
	return w
}

// add adds the event to the window's group. A group that is new in a final window starts at
// revision 1, as if it had been final and empty; the event corrects it to 2.
func (p *panel) add(w *window, name string, a arrival) *group {
	g := w.group(name)
	if g == nil {
		g = &group{name: name, serial: p.dashboard.serial()}
		if w.final {
			g.revision = 1
		}
		w.groups = append(w.groups, g)
	}
	g.events = append(g.events, a)
	return g
}

// finish makes the windows final whose end is due. It reports whether a cell changed.
func (p *panel) finish(due func(end int64) bool) (changed bool) {
	var now []*window
	for _, w := range p.windows {
		if w.timed() && !w.final && due(w.end) {
			now = append(now, w)
		}
	}
	for _, w := range now {
		w.final = true
		for _, g := range w.groups {
			g.revision = 1
			changed = changed || !w.hidden
		}
	}
	return changed
}

// leave hides, forever, what has left keep.
func (p *panel) leave() {
	switch p.Kind {
	case "tumbling", "hopping":
		hideOlder(p.windows, p.Keep)
	case "session":
		for _, w := range p.windows {
			if p.dashboard.watermark != Never && w.end <= p.dashboard.watermark-int64(p.Keep)*p.Size {
				w.hidden = true
			}
		}
	case "count":
		byGroup := map[string][]*window{}
		for _, w := range p.windows {
			byGroup[w.groups[0].name] = append(byGroup[w.groups[0].name], w)
		}
		for _, ws := range byGroup {
			hideOlder(ws, p.Keep)
		}
	}
}

// hideOlder hides all but the newest of those that are still shown.
func hideOlder(ws []*window, keep int) {
	ws = slices.DeleteFunc(slices.Clone(ws), func(w *window) bool { return w.hidden })
	slices.SortFunc(ws, func(a, b *window) int { return cmp.Compare(b.start, a.start) })
	for i, w := range ws {
		if i >= keep {
			w.hidden = true
		}
	}
}

// admit returns the group that an event goes to if max_groups counts per panel: it counts the
// groups with a window that is shown or can accept an event (S15).
func (p *panel) admit(name string) (admitted string, overflows bool) {
	own := map[string]bool{}
	for _, w := range p.windows {
		gone := w.hidden && w.timed() && w.end <= p.dashboard.purgedUpTo
		if g := w.groups[0].name; g != OverflowGroup && !gone {
			own[g] = true
		}
	}
	if own[name] || len(own) < p.MaxGroups {
		return name, false
	}
	return OverflowGroup, true
}

func (p *panel) foldCount(a arrival) {
	key := GroupOf(p.GroupBy, a.Event)
	name, overflows := p.admit(key)
	if overflows {
		p.overflowed[key] = true
	}
	var newest *window
	for _, w := range p.windows {
		if w.groups[0].name == name && (newest == nil || w.start > newest.start) {
			newest = w
		}
	}
	if newest == nil || newest.final {
		next := int64(0)
		if newest != nil {
			next = newest.end
		}
		newest = &window{kind: "count", start: next, end: next + 1}
		p.windows = append(p.windows, newest)
	}
	g := p.add(newest, name, a)
	if len(g.events) == p.N {
		newest.final, g.revision = true, 1
	}
	p.count(false, overflows, p.beyondSamples(g))
	p.leave()
}

func (p *panel) foldLatest(a arrival) {
	key := GroupOf(p.GroupBy, a.Event)
	name, overflows := p.admit(key)
	if overflows {
		p.overflowed[key] = true
	}
	i := slices.IndexFunc(p.windows, func(w *window) bool { return w.groups[0].name == name })
	if i < 0 {
		i = len(p.windows)
		p.windows = append(p.windows, &window{kind: "latest"})
	}
	g := p.add(p.windows[i], name, a)
	p.count(false, overflows, p.beyondSamples(g))
}
