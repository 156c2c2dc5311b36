package crashes

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/dashfeed/dashfeed/messages"
)

const blockSize = 96

// Flags of a block.
const (
	flagUsed = 1 << iota
	flagBusy
	flagCareful
	flagTold // in the header: the process was told to end
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns the block that stores k.
func (k *known) encode() (b [blockSize]byte) {
	var flags uint32
	if k.used {
		flags |= flagUsed
	}
	if k.busy {
		flags |= flagBusy
	}
	if k.careful {
		flags |= flagCareful
	}
	return encode(k.name, flags, k.at, k.suspect, k.ends)
}

func encode(name [16]byte, flags uint32, at, suspect Span, ends uint32) (b [blockSize]byte) {
	le := binary.LittleEndian
	le.PutUint32(b[4:], flags)
	copy(b[8:], name[:])
	for i, p := range []messages.Position{at.After, at.Through, suspect.After, suspect.Through} {
		le.PutUint64(b[24+16*i:], p.Hi)
		le.PutUint64(b[32+16*i:], p.Lo)
	}
	le.PutUint32(b[88:], ends)
	le.PutUint32(b[0:], crc32.Checksum(b[4:], castagnoli))
	return b
}

// decode decodes a block. ok is false if the block is not whole.
func decode(b []byte) (k known, flags uint32, ok bool) {
	le := binary.LittleEndian
	if len(b) < blockSize || le.Uint32(b) != crc32.Checksum(b[4:blockSize], castagnoli) {
		return known{}, 0, false
	}
	flags = le.Uint32(b[4:])
	copy(k.name[:], b[8:])
	k.used, k.busy, k.careful = flags&flagUsed != 0, flags&flagBusy != 0, flags&flagCareful != 0
	k.ends = le.Uint32(b[88:])
	for i, p := range []*messages.Position{&k.at.After, &k.at.Through, &k.suspect.After, &k.suspect.Through} {
		*p = messages.Position{Hi: le.Uint64(b[24+16*i:]), Lo: le.Uint64(b[32+16*i:])}
	}
	return k, flags, true
}
