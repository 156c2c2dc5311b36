package fold

import (
	"github.com/dashfeed/dashfeed/messages/cells"
)

// birth makes a cell of the group, which must have been admitted. It gives handle + 1.
func (d *Dashboard) birth(i int, g uint32, start, end int64, revision uint32, v uint64) uint32 {
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

// full tells that no cell but overflow rows may be born.
func (d *Dashboard) full() bool { return d.set.Len() >= MaxCells || d.stateBytes() >= MaxStateBytes }

// stateBytes is about how long the encoded state is. What it adds up is kept with each part, so it
// costs nothing to ask, and equal states give the same.
func (d *Dashboard) stateBytes() int {
	const cellBytes = 32 // without the group and the accumulator
	n := cellBytes*d.set.Len() + d.set.GroupBytes() + d.seen.bytes()
	for i := range d.panels {
		n += d.panels[i].accs.Bytes()
	}
	return n
}

// group is the key's group, made if need be; the caller refers to it at once.
func (d *Dashboard) group(i int, g uint32, key []byte) uint32 {
	if g != 0 {
		return g
	}
	return d.panels[i].groups.add(d.keyFor(i, key))
}

// overflow is the panel's overflow group, made if need be, and counts the key that goes there.
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

// crowded tells that a panel whose limit of groups counts for the whole panel takes no new one.
func (d *Dashboard) crowded(i int) bool {
	p, pp := &d.panels[i], &d.program.panels[i]
	own := int(p.groups.live)
	if own >= pp.maxGroups && p.groups.find([]byte(cells.Overflow)) != 0 {
		own--
	}
	return own >= pp.maxGroups || d.full()
}
