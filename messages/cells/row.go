package cells

import (
	"encoding/binary"
	"math"
)

// Row holds a cell's values in canonical form: for each value a tag byte and its content. A Row is
// immutable and shared by all holders of the cell.
type Row string

// ValueKind is the type of a value.
type ValueKind uint8

// The kinds of value. The numbers are stored: never reuse one.
const (
	Null  ValueKind = 0
	Float ValueKind = 1 // 8 bytes, little endian; always finite
	Int   ValueKind = 2 // zigzag varint
	JSON  ValueKind = 3 // uvarint length, then JSON text
)

// Value is one value of a row; Kind says which field is set.
type Value struct {
	Kind  ValueKind
	Float float64
	Int   int64
	JSON  string
}

// AppendNull appends a null to a row being built.
func AppendNull(b []byte) []byte { return append(b, byte(Null)) }

// AppendFloat appends a number, or a null if f is not finite.
func AppendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return AppendNull(b)
	}
	return binary.LittleEndian.AppendUint64(append(b, byte(Float)), math.Float64bits(f))
}

// AppendInt appends an integer: a count or a time.
func AppendInt(b []byte, i int64) []byte {
	return binary.AppendVarint(append(b, byte(Int)), i)
}

// AppendJSON appends a value that is JSON text, such as metadata.
func AppendJSON[T string | []byte](b []byte, text T) []byte {
	b = binary.AppendUvarint(append(b, byte(JSON)), uint64(len(text)))
	return append(b, text...)
}

// Each calls yield with every value in order until yield returns false. It returns false if the
// bytes are not a valid row.
func (r Row) Each(yield func(i int, v Value) bool) bool {
	s := string(r)
	for i := 0; s != ""; i++ {
		v := Value{Kind: ValueKind(s[0])}
		s = s[1:]
		switch v.Kind {
		case Null:
		case Float:
			if len(s) < 8 {
				return false
			}
			v.Float = math.Float64frombits(binary.LittleEndian.Uint64([]byte(s[:8])))
			s = s[8:]
		case Int:
			u, size := uvarint(s)
			if size <= 0 {
				return false
			}
			v.Int = int64(u>>1) ^ -int64(u&1)
			s = s[size:]
		case JSON:
			n, size := uvarint(s)
			if size <= 0 || n > uint64(len(s)-size) {
				return false
			}
			v.JSON = s[size : size+int(n)]
			s = s[size+int(n):]
		default:
			return false
		}
		if !yield(i, v) {
			return true
		}
	}
	return true
}

// Values returns all values of the row; ok is false if the bytes are not a valid row.
func (r Row) Values() (vs []Value, ok bool) {
	ok = r.Each(func(_ int, v Value) bool {
		vs = append(vs, v)
		return true
	})
	return vs, ok
}
