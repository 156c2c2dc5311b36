package viewer

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// picture is the fingerprint of a set of cells, updated cell by cell: the exclusive or of the
// cells' fingerprints.
type picture struct {
	cells map[uint32]uint64 // by number
	sum   uint64
	bytes []byte
}

func (p *picture) clear() { p.cells, p.sum = map[uint32]uint64{}, 0 }

func (p *picture) remove(number uint32) {
	p.sum ^= p.cells[number]
	delete(p.cells, number)
}

func (p *picture) put(c *cells.Cell) {
	if p.cells == nil {
		p.clear()
	}
	b := binary.BigEndian.AppendUint32(p.bytes[:0], c.Number)
	b = binary.BigEndian.AppendUint16(b, c.Panel)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Start))
	b = binary.BigEndian.AppendUint64(b, uint64(c.End))
	b = binary.BigEndian.AppendUint32(b, c.Revision)
	b = wire.AppendGroup(b, c.Group)
	// the text that clients get: the comparison covers exactly what they read
	b = wire.AppendRow(b, c.Row)
	p.bytes = b
	h := xxh3.Hash(b)
	p.sum ^= p.cells[c.Number] ^ h
	p.cells[c.Number] = h
}

// Picture computes fingerprints of a dashboard that is folded elsewhere, to compare them with what
// viewers saw.
type Picture struct{ picture }

// Move applies the changes since the last call, in the panels that viewers see; an update from 0
// replaces everything.
func (p *Picture) Move(u *cells.Update, panels int) (fingerprint uint64) {
	if u.From == 0 {
		p.clear()
	}
	for _, t := range u.Removed {
		p.remove(t.Number)
	}
	for i := range u.Cells {
		// the panel beyond them holds the newest value of each metric, for the plain dialect
		if int(u.Cells[i].Panel) < panels {
			p.put(&u.Cells[i])
		}
	}
	return p.sum
}
