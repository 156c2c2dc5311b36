package foldtest

import "slices"

// foldSession merges first and judges afterwards (S9).
func (p *panel) foldSession(a arrival) (entered bool) {
	key := GroupOf(p.GroupBy, a.Event)
	name, overflows := p.admit(key)
	merged := &window{kind: "session", start: a.time, end: a.time + p.Size}
	var parts []*window
	for _, w := range p.windows {
		touches := w.start <= merged.end && a.time <= w.end
		purged := w.end <= p.dashboard.purgedUpTo
		if w.groups[0].name == name && touches && !purged {
			parts = append(parts, w)
		}
	}
	for _, w := range parts {
		merged.start = min(merged.start, w.start)
		merged.end = max(merged.end, w.end)
	}
	if merged.end <= p.dashboard.purgedUpTo {
		return false
	}
	if overflows {
		p.overflowed[key] = true
	}
	if len(parts) == 0 {
		merged.final = p.dashboard.watermark != Never && p.dashboard.watermark >= merged.end
	}
	g := &group{name: name}
	if merged.final {
		g.revision = 1
	}
	for _, w := range parts {
		old := w.groups[0]
		merged.final = merged.final || w.final
		merged.hidden = merged.hidden || w.hidden
		g.events = append(g.events, old.events...)
		g.revision = max(g.revision, old.revision)
		if w.start == merged.start {
			g.serial = old.serial
		}
	}
	if g.serial == 0 {
		g.serial = p.dashboard.serial()
	}
	g.events = append(g.events, a)
	if merged.final {
		g.revision++
	}
	merged.groups = []*group{g}
	p.windows = slices.DeleteFunc(p.windows, func(w *window) bool {
		// also replaces a purged one: start and group name a cell
		replaced := w.groups[0].name == name && w.start == merged.start
		return replaced || slices.Contains(parts, w)
	})
	p.windows = append(p.windows, merged)
	p.count(merged.final, overflows, !merged.hidden && p.beyondSamples(g))
	return true
}
