package foldtest

import (
	"slices"
	"strings"
)

// remembered is the first arrival of an id.
type remembered struct {
	time  int64
	order uint64
}

// invented is an id that a client made up, with the log time at its first record.
type invented struct {
	id      string
	logTime int64
}

// forgetInvented forgets the invented ids that are behind log time by more than the horizon.
func (d *Dashboard) forgetInvented(logTime int64) {
	d.invented = slices.DeleteFunc(d.invented, func(r invented) bool { return logTime > r.logTime+d.definition.Horizon })
}

// seenBefore reports whether the event is a duplicate or, if not, whether that can no longer be
// known (S6).
func (d *Dashboard) seenBefore(a arrival) (copied, unchecked bool) {
	switch d.definition.By {
	case "id":
		if a.ID == "" {
			return false, false
		}
		if _, there := d.ids[a.ID]; there {
			return true, false
		}
		if strings.HasPrefix(a.ID, "~") {
			return slices.ContainsFunc(d.invented, func(r invented) bool { return r.id == a.ID }), false
		}
		return false, a.time < d.forgottenTo || a.time <= d.idFloor && d.idFloor != Never
	case "producer":
		if a.Producer == "" || !a.HasSequence {
			return false, false
		}
		if d.sequences[a.Producer][a.Sequence] {
			return true, false
		}
		floor, any := d.seqFloor[a.Producer]
		return false, any && a.Sequence <= floor
	}
	return false, false
}

// remember keeps what identifies duplicates of a, and forgets at the bounds.
func (d *Dashboard) remember(a arrival, logTime int64) {
	switch {
	case d.definition.By == "id" && strings.HasPrefix(a.ID, "~"):
		d.invented = append(d.invented, invented{a.ID, logTime})
		if len(d.invented) > MaxIDs {
			d.invented = d.invented[1:]
		}
	case d.definition.By == "id" && a.ID != "":
		d.ids[a.ID] = remembered{a.time, a.order}
		if len(d.ids) > MaxIDs {
			d.dropLowestID()
		}
	case d.definition.By == "producer" && a.Producer != "" && a.HasSequence:
		if d.sequences[a.Producer] == nil {
			d.sequences[a.Producer] = map[uint64]bool{}
		}
		d.sequences[a.Producer][a.Sequence] = true
		d.closeLowestHole(a.Producer)
	}
}

func (d *Dashboard) dropLowestID() {
	lowest, found := "", false
	for id, r := range d.ids {
		l := d.ids[lowest]
		if !found || r.time < l.time || r.time == l.time && r.order < l.order {
			lowest, found = id, true
		}
	}
	d.idFloor = max(d.idFloor, d.ids[lowest].time)
	delete(d.ids, lowest)
}

// forgetIDs forgets the ids that W has passed by more than the horizon.
func (d *Dashboard) forgetIDs() {
	for id, r := range d.ids {
		if r.time < d.forgottenTo {
			delete(d.ids, id)
		}
	}
}

func (d *Dashboard) closeLowestHole(producer string) {
	var seen []uint64
	for s := range d.sequences[producer] {
		if floor, any := d.seqFloor[producer]; !any || s > floor {
			seen = append(seen, s)
		}
	}
	slices.Sort(seen)
	ranges, lowestHoleEnd := 0, uint64(0)
	_, closed := d.seqFloor[producer]
	if closed {
		ranges = 1
	}
	for i, s := range seen {
		if i == 0 && closed && s == d.seqFloor[producer]+1 || i > 0 && s == seen[i-1]+1 {
			continue
		}
		ranges++
		if ranges == 2 {
			lowestHoleEnd = s - 1
		}
	}
	if ranges > MaxRanges {
		d.seqFloor[producer] = lowestHoleEnd
	}
}
