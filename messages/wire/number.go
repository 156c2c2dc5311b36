package wire

import (
	"math"
	"strconv"
)

// maxExact is 2^53: every whole number below it is written as digits alone.
const maxExact = 1 << 53

// AppendNumber appends f in its shortest form, whole numbers below 2^53 without exponent or ".0". A
// number that is not finite becomes null.
func AppendNumber(b []byte, f float64) []byte {
	a := math.Abs(f)
	switch {
	case a < maxExact && f == math.Trunc(f):
		return strconv.AppendInt(b, int64(f), 10)
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(b, "null"...)
	case a < 1e-6 || a >= 1e21:
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < 0x80 {
			continue
		}
		if c >= 0x80 {
			return appendUnicode(append(b, s[start:i]...), s[i:])
		}
		b = append(b, s[start:i]...)
		b = appendEscape(b, c)
		start = i + 1
	}
	return append(append(b, s[start:]...), '"')
}

// appendUnicode continues AppendString rune by rune and closes the string.
func appendUnicode(b []byte, s string) []byte {
	for _, r := range s {
		if r < 0x80 && (r < 0x20 || r == '"' || r == '\\') {
			b = appendEscape(b, byte(r))
			continue
		}
		b = append(b, string(r)...)
	}
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
