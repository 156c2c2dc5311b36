package messages

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Position is where a record lies in its partition. Positions of one partition are totally ordered;
// the zero Position lies before every record. Only the log that made it can interpret it: the
// embedded log counts records in Lo, a Pulsar log holds the ledger in Hi and the entry and batch
// index in Lo.
type Position struct {
	Hi, Lo uint64
}

// PositionBytes is the length of a Position's binary form.
const PositionBytes = 16

// Compare orders two positions of one partition.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.Hi, q.Hi); c != 0 {
		return c
	}
	return cmp.Compare(p.Lo, q.Lo)
}

// After reports whether p lies beyond q.
func (p Position) After(q Position) bool { return p.Compare(q) > 0 }

// IsZero reports whether p lies before every record.
func (p Position) IsZero() bool { return p == Position{} }

// String returns the text that clients see: LO, or HI.LO if Hi is set.
func (p Position) String() string {
	if p.Hi == 0 {
		return strconv.FormatUint(p.Lo, 10)
	}
	return strconv.FormatUint(p.Hi, 10) + "." + strconv.FormatUint(p.Lo, 10)
}

// ParsePosition reads the output of String.
func ParsePosition(s string) (Position, error) {
	hi, lo, both := strings.Cut(s, ".")
	if !both {
		hi, lo = "0", s
	}
	h, err := strconv.ParseUint(hi, 10, 64)
	if err == nil {
		var l uint64
		if l, err = strconv.ParseUint(lo, 10, 64); err == nil {
			return Position{h, l}, nil
		}
	}
	return Position{}, fmt.Errorf("position %q is not of the form N or N.N", s)
}

// Append appends the 16-byte form. Its bytewise order is the order of positions.
func (p Position) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, p.Hi)
	return binary.BigEndian.AppendUint64(b, p.Lo)
}

// DecodePosition reads the 16-byte form from the front of b.
func DecodePosition(b []byte) (Position, error) {
	if len(b) < PositionBytes {
		return Position{}, fmt.Errorf("position of %d bytes, want %d", len(b), PositionBytes)
	}
	return Position{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}
