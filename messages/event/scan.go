package event

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The scanner walks JSON text by index: each function takes the index of a value's first byte and
// returns the index after its last. It accepts exactly what encoding/json accepts. A negative
// result is an error: ^result is the index of the offending byte (len(b) if the text ended too
// soon), or the result is tooDeep.
const tooDeep = math.MinInt

// maxBodyNesting is encoding/json's own limit of nesting.
const maxBodyNesting = 10_000

// skipSpace is small enough to be inlined, since there is mostly no space.
func skipSpace(b []byte, i int) int {
	if i < len(b) && b[i] > ' ' {
		return i
	}
	return skipSpaces(b, i)
}

func skipSpaces(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipValue passes over one value of any type; room is how many levels of arrays and objects it may
// open.
func skipValue(b []byte, i, room int) int {
	if i >= len(b) {
		return ^i
	}
	switch c := b[i]; c {
	case '"':
		end, _ := scanString(b, i)
		return end
	case '{':
		return skipObject(b, i, room-1)
	case '[':
		return skipArray(b, i, room-1)
	case 't':
		return skipWord(b, i, "true")
	case 'f':
		return skipWord(b, i, "false")
	case 'n':
		return skipWord(b, i, "null")
	default:
		return scanNumber(b, i)
	}
}

func skipWord(b []byte, i int, word string) int {
	for k := range len(word) {
		if i+k >= len(b) || b[i+k] != word[k] {
			return ^(i + k)
		}
	}
	return i + len(word)
}

func skipArray(b []byte, i, room int) int {
	if room < 0 {
		return tooDeep
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = skipValue(b, i, room); i < 0 {
			return i
		}
		i = skipSpace(b, i)
		if i >= len(b) {
			return ^i
		}
		switch b[i] {
		case ']':
			return i + 1
		case ',':
			i = skipSpace(b, i+1)
		default:
			return ^i
		}
	}
}

func skipObject(b []byte, i, room int) int {
	if room < 0 {
		return tooDeep
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		_, _, value := scanName(b, i)
		if value < 0 {
			return value
		}
		if i = skipValue(b, value, room); i < 0 {
			return i
		}
		var more bool
		if i, more = scanNext(b, i); !more {
			return i
		}
	}
}

// scanName reads an object's `"name" :` at i. name is the text between the quotes, value the index
// of what follows.
func scanName(b []byte, i int) (name []byte, plain bool, value int) {
	if i >= len(b) || b[i] != '"' {
		return nil, false, ^i
	}
	end, plain := scanString(b, i)
	if end < 0 {
		return nil, false, end
	}
	name = b[i+1 : end-1]
	if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
		return nil, false, ^i
	}
	return name, plain, skipSpace(b, i+1)
}

// scanNext reads what follows an object's value. After a comma it returns the index of the next
// name and true, after the closing brace the index behind it and false.
func scanNext(b []byte, i int) (next int, more bool) {
	i = skipSpace(b, i)
	if i >= len(b) {
		return ^i, false
	}
	switch b[i] {
	case ',':
		return skipSpace(b, i+1), true
	case '}':
		return i + 1, false
	}
	return ^i, false
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanString reads the string that opens at i. plain means that the text equals its bytes: ASCII
// without escapes.
func scanString(b []byte, i int) (end int, plain bool) {
	plain = true
	i++
	for {
		// Test eight bytes at once, up to the first quote, backslash, control character or byte
		// beyond ASCII. A borrow can mark a wrong byte only above a rightly marked one, so the
		// lowest mark is right.
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			quote, slash := x^(ones*'"'), x^(ones*'\\')
			mark := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x | x) & highs
			if mark != 0 {
				i += bits.TrailingZeros64(mark) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return ^i, false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, plain
		case c == '\\':
			plain = false
			if i = skipEscape(b, i+1); i < 0 {
				return i, false
			}
		case c < 0x20:
			return ^i, false
		default:
			plain = plain && c < 0x80
			i++
		}
	}
}

// skipEscape passes over what follows a backslash.
func skipEscape(b []byte, i int) int {
	if i >= len(b) {
		return ^i
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for k := i + 1; k <= i+4; k++ {
			if k >= len(b) || unhex(b[k]) < 0 {
				return ^k
			}
		}
		return i + 5
	}
	return ^i
}

func unhex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

func scanNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b) || b[i] < '0' || b[i] > '9':
		return ^i
	case b[i] == '0':
		i++
	default:
		i = skipDigits(b, i)
	}
	if i < len(b) && b[i] == '.' {
		end := skipDigits(b, i+1)
		if end == i+1 {
			return ^end
		}
		i = end
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		end := skipDigits(b, i)
		if end == i {
			return ^end
		}
		i = end
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}
