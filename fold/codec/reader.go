// Package codec reads the primitives of the fold's canonical binary state, as encoding/binary
// appends them, from the front of untrusted bytes. A Reader remembers the first failure and then
// returns zeros, so that a decoder needs only one check at the end. No result is larger than the
// input.
package codec

import (
	"encoding/binary"
	"math"
)

// Reader reads primitives from the front of B.
type Reader struct {
	B      []byte
	Failed bool
}

// Fail makes the reader and all later reads fail.
func (r *Reader) Fail() { r.Failed, r.B = true, nil }

// Check makes the reader fail if ok is false.
func (r *Reader) Check(ok bool) {
	if !ok {
		r.Fail()
	}
}

// Uvarint reads an unsigned integer in its shortest form.
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

// Varint reads a signed integer.
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

// Bytes reads a length and that many bytes, which alias B.
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

// String returns a copy of Bytes.
func (r *Reader) String() string { return string(r.Bytes()) }

// Count reads the number of items that follow, each of at least leastBytes. It fails if the
// remaining bytes cannot hold them.
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
