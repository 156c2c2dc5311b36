package foldtest

// Counters are the counters of S18.
type Counters struct {
	Records, Accepted, Invalid, Future, Duplicates, Horizon, MetricsDropped, SetAside uint64

	Reasons map[string]uint64
	Panels  map[string]PanelCounter
}

// PanelCounter counts what one panel did with the accepted events.
type PanelCounter struct {
	Accepted, Filtered, LateDropped, Folded, LateAccepted, Overflowed, Unsampled uint64
}

// Listed is one entry of the lists of late and refused records.
type Listed struct {
	ID       string
	Time     int64
	Metric   string
	Reason   string
	Position string
}

func newCounters() Counters {
	return Counters{Reasons: map[string]uint64{}, Panels: map[string]PanelCounter{}}
}

// Counters returns the counters.
func (d *Dashboard) Counters() Counters {
	c := d.counters
	c.Panels = map[string]PanelCounter{}
	for _, p := range d.panels {
		c.Panels[p.ID] = p.counter
	}
	return c
}

func (d *Dashboard) refuse(l Listed)   { d.refused = newest(append(d.refused, l)) }
func (d *Dashboard) listLate(l Listed) { d.late = newest(append(d.late, l)) }

func newest(ls []Listed) []Listed {
	if len(ls) > MaxListed {
		return ls[len(ls)-MaxListed:]
	}
	return ls
}
