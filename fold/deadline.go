package fold

import "math"

// Idling (S2): a window that holds events and isn't final becomes final when log time reaches
// L + idle + max(0, end − M). Nothing else happens by log time alone.

// Deadline is the log time of the next deadline, ms; ok is false where none is waiting. It moves with every event.
func (d *Dashboard) Deadline() (logTime int64, ok bool) {
	if d.program.idle == 0 || d.lastLog == NoTime {
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

// Advance applies the deadlines up to a log time, one instant after another, each a step if it changes a cell.
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
