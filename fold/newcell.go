package fold

import (
	"github.com/dashfeed/dashfeed/messages/cells"
)

// newCell makes a cell of the group, which must have been admitted. It returns handle + 1.
func (d *Dashboard) newCell(i int, g uint32, start, end int64, revision uint32, v uint64) uint32 {
	h := d.set.Put(v, cells.Cell{
		Panel: uint16(i), Start: start, End: end, Group: d.panels[i].groups.at(g).key, Revision: revision,
	})
	for int(h) >= len(d.entries) {
		d.entries = appendTight(d.entries, entry{})
	}
	d.entries[h] = entry{group: g}
	return uint32(h) + 1
}

// remove removes a cell.
func (d *Dashboard) remove(h cells.Handle, v uint64) {
	d.set.Remove(h, v)
	d.entries[h] = entry{}
}

// full reports that no cell except overflow rows may be created.
func (d *Dashboard) full() bool { return d.set.Len() >= MaxCells || d.stateBytes() >= MaxStateBytes }

// stateBytes returns the approximate length of the encoded state. Each part keeps its own sum, so
// the call costs nothing, and equal states give equal results.
func (d *Dashboard) stateBytes() int {
	const cellBytes = 32 // without the group and the accumulator
	n := cellBytes*d.set.Len() + d.set.GroupBytes() + d.seen.bytes()
	for i := range d.panels {
		n += d.panels[i].accs.Bytes()
	}
	return n
}

// group returns the key's group and creates it if needed; the caller refers to it at once.
func (d *Dashboard) group(i int, g uint32, key []byte) uint32 {
	if g != 0 {
		return g
	}
	return d.panels[i].groups.add(d.keyFor(i, key))
}

// overflow returns the panel's overflow group, creates it if needed, and counts the key that goes
// there.
func (d *Dashboard) overflow(i int, key []byte) uint32 {
	p := &d.panels[i]
	r := p.getRare()
	if r.keys == nil {
		r.keys = newOverflowKeys()
	}
	r.keys.add(key)
	if g := p.groups.find([]byte(cells.Overflow)); g != 0 {
		return g
	}
	return p.groups.add(cells.Overflow)
}

// crowded reports whether a panel whose max_groups limits the whole panel accepts no new group.
func (d *Dashboard) crowded(i int) bool {
	p, pp := &d.panels[i], &d.program.panels[i]
	own := int(p.groups.live)
	if own >= pp.maxGroups && p.groups.find([]byte(cells.Overflow)) != 0 {
		own--
	}
	return own >= pp.maxGroups || d.full()
}
