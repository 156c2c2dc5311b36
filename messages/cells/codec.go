package cells

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// errCorrupt reports bytes that Append did not write.
var errCorrupt = errors.New("cells: state is corrupt")

// Append appends the set's canonical form: equal sets give equal bytes, however they were built.
// All numbers are uvarints, Start and End varints:
//
//	version floor next | n, n cells by number | n, n tombstones by removal
//	cell: number revision panel start end len(group) group len(row) row created changed
//	tombstone: number panel removed
func (s *Set) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.version)
	b = binary.AppendUvarint(b, s.floor)
	b = binary.AppendUvarint(b, uint64(s.next))
	b = binary.AppendUvarint(b, uint64(s.live))
	for _, c := range s.Cells() {
		b = binary.AppendUvarint(b, uint64(c.Number))
		b = binary.AppendUvarint(b, uint64(c.Revision))
		b = binary.AppendUvarint(b, uint64(c.Panel))
		b = binary.AppendVarint(b, c.Start)
		b = binary.AppendVarint(b, c.End)
		b = appendString(b, string(c.Group))
		b = appendString(b, string(c.Row))
		b = binary.AppendUvarint(b, c.Created)
		b = binary.AppendUvarint(b, c.Changed)
	}
	b = binary.AppendUvarint(b, uint64(len(s.tombstones)))
	for _, t := range s.tombstones {
		b = binary.AppendUvarint(b, uint64(t.Number))
		b = binary.AppendUvarint(b, uint64(t.Panel))
		b = binary.AppendUvarint(b, t.Removed)
	}
	return b
}

// Decode reads a set from the front of b and returns the rest. It accepts only what Append writes:
// Append turns the set back into the same bytes.
func Decode(b []byte) (*Set, []byte, error) {
	d := decoder{b: b}
	s := &Set{version: d.uvarint(), floor: d.uvarint(), next: d.uint32()}
	const leastCellBytes, leastTombstoneBytes = 9, 3
	all := make([]Cell, 0, d.count(leastCellBytes))
	for range cap(all) {
		all = append(all, Cell{
			Number: d.uint32(), Revision: d.uint32(), Panel: d.uint16(),
			Start: d.varint(), End: d.varint(), Group: Group(d.string()), Row: Row(d.string()),
			Created: d.uvarint(), Changed: d.uvarint(),
		})
	}
	s.tombstones = make([]Tombstone, 0, d.count(leastTombstoneBytes))
	for range cap(s.tombstones) {
		s.tombstones = append(s.tombstones, Tombstone{d.uint32(), d.uint16(), d.uvarint()})
	}
	if d.failed || !s.valid(all) {
		return nil, nil, errCorrupt
	}
	s.slots = slices.Grow(s.slots, len(all))
	for _, c := range byChange(all) {
		s.insert(c)
	}
	return s, d.rest(), nil
}

// valid reports whether cell numbers rise and every stamp lies between version 1 and the set's
// version.
func (s *Set) valid(all []Cell) bool {
	for i, c := range all {
		if c.Number >= s.next || i > 0 && c.Number <= all[i-1].Number || c.Created == 0 || c.Created > c.Changed || c.Changed > s.version {
			return false
		}
	}
	for i, t := range s.tombstones {
		if t.Removed == 0 || t.Removed > s.version || i > 0 && t.Removed < s.tombstones[i-1].Removed {
			return false
		}
	}
	return s.floor <= s.version
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// decoder reads primitives and remembers whether a read failed. It advances an index instead of
// reslicing: storing a slice costs a write barrier while the garbage collector runs.
type decoder struct {
	b      []byte
	at     int
	failed bool
}

func (d *decoder) uvarint() uint64 {
	if d.at < len(d.b) && d.b[d.at] < 0x80 {
		d.at++
		return uint64(d.b[d.at-1])
	}
	return d.longUvarint()
}

func (d *decoder) longUvarint() uint64 {
	n, size := binary.Uvarint(d.b[d.at:])
	// A last byte of 0 adds nothing, so this is not the shortest form.
	if size <= 0 || size > 1 && d.b[d.at+size-1] == 0 {
		d.fail()
		return 0
	}
	d.at += size
	return n
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) uint32() uint32 { return uint32(d.atMost(math.MaxUint32)) }

func (d *decoder) uint16() uint16 { return uint16(d.atMost(math.MaxUint16)) }

func (d *decoder) atMost(limit uint64) uint64 {
	n := d.uvarint()
	if n > limit {
		d.fail()
		return 0
	}
	return n
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(d.left()) {
		d.fail()
		return ""
	}
	d.at += int(n)
	return string(d.b[d.at-int(n) : d.at])
}

// count reads a number of items and fails if the remaining bytes cannot hold that many.
func (d *decoder) count(leastBytes int) int {
	n := d.uvarint()
	if n > uint64(d.left()/leastBytes) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) left() int { return len(d.b) - d.at }

func (d *decoder) rest() []byte { return d.b[d.at:] }

func (d *decoder) fail() { d.failed, d.at = true, len(d.b) }
