package cells

import (
	"encoding/binary"
	"errors"

	"github.com/dashfeed/dashfeed/messages"
)

// errCorruptUpdate reports bytes that AppendUpdate did not write.
var errCorruptUpdate = errors.New("cells: update is corrupt")

// chunkBytes is how many bytes of groups and rows of a decoded update share one string. It is large
// enough that a cell costs no allocation of its own, and small enough that one long-lived cell does
// not hold on to all the update's other cells.
const chunkBytes = 256

// AppendUpdate appends the update's canonical form, as one holder sends it to another. Cells are
// ordered by number, removals by removal, as Since returns them. Numbers are uvarints, those marked
// ± varints:
//
//	epoch from to-from floor | n, n cells | n, n removals
//	cell: number-before-1 revision panel start± (end-start)± len(group) group len(row) row created changed-created
//	removal: number panel removed-before
//
// before is the same field of the previous cell or removal. The first cell has number itself, the
// first removal removed itself.
func AppendUpdate(b []byte, u *Update) []byte {
	b = binary.AppendUvarint(b, uint64(u.Epoch))
	b = binary.AppendUvarint(b, u.From)
	b = binary.AppendUvarint(b, u.To-u.From)
	b = binary.AppendUvarint(b, u.Floor)
	b = binary.AppendUvarint(b, uint64(len(u.Cells)))
	next := uint32(0)
	for i := range u.Cells {
		c := &u.Cells[i]
		b = binary.AppendUvarint(b, uint64(c.Number-next))
		next = c.Number + 1
		b = binary.AppendUvarint(b, uint64(c.Revision))
		b = binary.AppendUvarint(b, uint64(c.Panel))
		b = binary.AppendVarint(b, c.Start)
		b = binary.AppendVarint(b, c.End-c.Start) // may wrap around; the reader wraps it back
		b = appendString(b, string(c.Group))
		b = appendString(b, string(c.Row))
		b = binary.AppendUvarint(b, c.Created)
		b = binary.AppendUvarint(b, c.Changed-c.Created)
	}
	b = binary.AppendUvarint(b, uint64(len(u.Removed)))
	before := uint64(0)
	for i := range u.Removed {
		t := &u.Removed[i]
		b = binary.AppendUvarint(b, uint64(t.Number))
		b = binary.AppendUvarint(b, uint64(t.Panel))
		b = binary.AppendUvarint(b, t.Removed-before)
		before = t.Removed
	}
	return b
}

// DecodeUpdate reads an update from the front of b and returns the rest. It accepts only what
// AppendUpdate writes for an update that a set returned: AppendUpdate turns the result back into
// the same bytes. The result keeps nothing of b.
func DecodeUpdate(b []byte) (Update, []byte, error) {
	d := texts{decoder: decoder{b: b}}
	u := Update{Epoch: messages.Epoch(d.uint32()), From: d.uvarint()}
	u.To = d.sum(u.From)
	u.Floor = d.uvarint()
	const leastCellBytes, leastRemovalBytes = 9, 3
	if n := d.count(leastCellBytes); n > 0 {
		u.Cells = make([]Cell, n)
	}
	next := uint64(0)
	for i := range u.Cells {
		c := &u.Cells[i]
		number := d.sum(next)
		c.Number, c.Revision, c.Panel = uint32(number), d.uint32(), d.uint16()
		c.Start = d.varint()
		c.End = c.Start + d.varint()
		c.Group, c.Row = Group(d.text()), Row(d.text())
		c.Created = d.uvarint()
		c.Changed = d.sum(c.Created)
		if number >= 1<<32-1 || c.Created == 0 || c.Changed <= u.From || c.Changed > u.To {
			d.fail()
		}
		next = number + 1
	}
	if n := d.count(leastRemovalBytes); n > 0 {
		u.Removed = make([]Tombstone, n)
	}
	before := uint64(0)
	for i := range u.Removed {
		t := &u.Removed[i]
		t.Number, t.Panel = d.uint32(), d.uint16()
		t.Removed = d.sum(before)
		if t.Removed <= u.From || t.Removed > u.To {
			d.fail()
		}
		before = t.Removed
	}
	if d.failed || u.Floor > u.To {
		return Update{}, nil, errCorruptUpdate
	}
	return u, d.rest(), nil
}

// texts is a decoder whose strings share memory: neighbouring strings lie in one chunk.
type texts struct {
	decoder

	chunk string // the bytes of the input from begin on
	begin int
}

// text reads a length and that many bytes.
func (d *texts) text() string {
	n := d.uvarint()
	if n > uint64(d.left()) {
		d.fail()
		return ""
	}
	if n == 0 {
		return ""
	}
	from, to := d.at, d.at+int(n)
	if to > d.begin+len(d.chunk) {
		d.chunk, d.begin = string(d.b[from:max(to, min(len(d.b), from+chunkBytes))]), from
	}
	d.at = to
	return d.chunk[from-d.begin : to-d.begin]
}

// sum reads a number and returns it added to n; it fails on overflow.
func (d *decoder) sum(n uint64) uint64 {
	s := n + d.uvarint()
	if s < n {
		d.fail()
	}
	return s
}
