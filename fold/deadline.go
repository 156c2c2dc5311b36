package fold

import (
	"math"
	"slices"

	"github.com/dashfeed/dashfeed/messages"
)

// Idling (S2): a window that holds events and is not final becomes final when log time reaches L +
// idle + max(0, end − M). Log time alone does nothing else.

// Deadline returns the log time of the next deadline, ms; ok is false if there is none. Every event
// moves it.
func (d *Dashboard) Deadline() (logTime int64, ok bool) {
	if d.program.idle == 0 || d.lastLog == messages.NoTime {
		return 0, false
	}
	open := int64(math.MaxInt64)
	for i := range d.panels {
		open = min(open, d.panels[i].open)
	}
	if open == math.MaxInt64 {
		return 0, false
	}
	return d.lastLog + d.program.idle + max(0, open-d.newest), true
}

// Deadlines returns the instants at which the waiting windows become final if no event comes
// before: ordered, each once. If there are more than most, the latest of several neighbours stands
// for all of them, so that a caller who waits for it is never too early.
func (d *Dashboard) Deadlines(most int) []int64 {
	if _, waits := d.Deadline(); !waits {
		return nil
	}
	var instants []int64
	add := func(end int64) { instants = append(instants, d.lastLog+d.program.idle+max(0, end-d.newest)) }
	for i := range d.panels {
		p := &d.panels[i]
		switch {
		case p.open == math.MaxInt64:
		case p.rare != nil && p.rare.sessions != nil:
			s := p.rare.sessions
			for _, x := range s.due[untilFinal] {
				add(s.at(x).end)
			}
		default:
			for j := range p.windows {
				if w := &p.windows[j]; !w.final {
					add(w.start + d.program.panels[i].size)
				}
			}
		}
	}
	slices.Sort(instants)
	instants = slices.Compact(instants)
	if len(instants) <= most {
		return instants
	}
	last, each := len(instants)-1, (len(instants)+most-1)/most
	fewer := instants[:0]
	for i := each - 1; i < last; i += each {
		fewer = append(fewer, instants[i])
	}
	return append(fewer, instants[last])
}

// Advance applies the deadlines up to a log time, one instant after another. Each is a step if it
// changes a cell.
func (d *Dashboard) Advance(logTime int64) (changed bool) {
	if d.program.idle == 0 || logTime < d.lastLog+d.program.idle {
		return false // by far the most frequent case
	}
	for {
		instant, ok := d.Deadline()
		if !ok || instant > logTime {
			return changed
		}
		end := d.newest + (instant - d.lastLog - d.program.idle)
		v := d.set.Version() + 1
		step := false
		for i := range d.panels {
			if d.panels[i].open <= end && d.finish(i, end, v) {
				step = true
			}
		}
		if step {
			changed = true
			d.time = max(d.time, instant)
		}
	}
}
