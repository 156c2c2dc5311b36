// Package codec reads the primitives of the fold's canonical binary state: what encoding/binary
// appends, taken from the front of untrusted bytes. A Reader remembers the first failure and then
// gives zeros, so that a decoder is written straight down and asks once at the end. Nothing it
// gives is larger than the bytes it was given.
package codec

import (
	"encoding/binary"
	"math"
)

// Reader reads primitives off the front of B.
type Reader struct {
	B      []byte
	Failed bool
}

// Fail makes the reader, and whatever is read from now on, fail.
func (r *Reader) Fail() { r.Failed, r.B = true, nil }

// Check fails the reader where what it gave can't be.
func (r *Reader) Check(ok bool) {
	if !ok {
		r.Fail()
	}
}

// Uvarint reads a whole number in its shortest form.
func (r *Reader) Uvarint() uint64 {
	n, size := binary.Uvarint(r.B)
	if size <= 0 || size > 1 && r.B[size-1] == 0 {
		r.Fail()
		return 0
	}
	r.B = r.B[size:]
	return n
}

// Uint32 reads a Uvarint below 2^32.
func (r *Reader) Uint32() uint32 {
	n := r.Uvarint()
	if n > math.MaxUint32 {
		r.Fail()
		return 0
	}
	return uint32(n)
}

// Varint reads a signed whole number.
func (r *Reader) Varint() int64 {
	u := r.Uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// Fixed reads 8 bytes, little endian.
func (r *Reader) Fixed() uint64 {
	if len(r.B) < 8 {
		r.Fail()
		return 0
	}
	n := binary.LittleEndian.Uint64(r.B)
	r.B = r.B[8:]
	return n
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.B) == 0 {
		r.Fail()
		return 0
	}
	c := r.B[0]
	r.B = r.B[1:]
	return c
}

// Bytes reads a length and as many bytes, which alias B.
func (r *Reader) Bytes() []byte {
	n := r.Uvarint()
	if n > uint64(len(r.B)) {
		r.Fail()
		return nil
	}
	b := r.B[:n]
	r.B = r.B[n:]
	return b
}

// String is a copy of Bytes.
func (r *Reader) String() string { return string(r.Bytes()) }

// Count reads how many items of at least leastBytes follow, and fails on more than the bytes left
// can hold.
func (r *Reader) Count(leastBytes int) int {
	n := r.Uvarint()
	if n > uint64(len(r.B)/leastBytes) {
		r.Fail()
		return 0
	}
	return int(n)
}

// AppendString appends a length and the string's bytes.
func AppendString[T ~string | ~[]byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
