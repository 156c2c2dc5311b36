package fold

import (
	"slices"

	"github.com/dashfeed/dashfeed/messages/cells"
)

// writeRows writes the rows of all cells that were touched since its last call.
func (d *Dashboard) writeRows() {
	v := d.set.Version()
	if d.rowsAt == v {
		return
	}
	for i := range d.panels {
		d.set.Each(uint16(i), d.rowsAt, func(h cells.Handle) bool {
			d.writeRow(h, i)
			return true
		})
	}
	d.rowsAt = v
}

// writeRow writes one cell's row unless the stored row is current: nothing changed, or the row was
// written before its accumulator was dropped.
func (d *Dashboard) writeRow(h cells.Handle, i int) {
	c, e := d.set.At(h), d.entries[h]
	if c.Changed <= d.rowsAt || e.group == 0 {
		return
	}
	p, pp := &d.panels[i], &d.program.panels[i]
	var scratch [256]byte
	var row []byte
	switch {
	case e.acc != 0:
		row = pp.layout.AppendRow(scratch[:0], p.accs.At(pp.layout, e.acc), c.Group == cells.Overflow)
	case pp.kind.merges:
		row = pp.layout.AppendRow(scratch[:0], d.mergePanes(i, e.group, c.Start, c.End), false)
	default:
		return
	}
	if string(c.Row) != string(row) {
		c.Row = cells.Row(slices.Clone(row))
	}
}
