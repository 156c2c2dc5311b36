package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Text that is not Unicode is refused, never repaired: replacing the wrong bytes could make two
// keys equal.

// skipPlain returns the index, from i on, of the first byte that is a backslash or not ASCII.
func skipPlain(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		slash := x ^ (ones * '\\')
		if ((slash-ones)&^slash|x)&highs != 0 {
			break
		}
	}
	for i < len(b) && b[i] < utf8.RuneSelf && b[i] != '\\' {
		i++
	}
	return i
}

// notText returns the index of the first byte of JSON text b that is not UTF-8, or of the first
// escape of half a surrogate pair; -1 if there is none. In valid JSON every backslash begins an
// escape inside a string; other text is left for a parser to refuse.
func notText(b []byte) int {
	for i := skipPlain(b, 0); i < len(b); i = skipPlain(b, i) {
		size := 2
		switch {
		case b[i] != '\\':
			var r rune
			if r, size = utf8.DecodeRune(b[i:]); r == utf8.RuneError && size == 1 {
				return i
			}
		case isUnicodeEscape(b[i:]):
			if size = unicodeEscape(b[i:]); size == 0 {
				return i
			}
		}
		i += size
	}
	return -1
}

// CheckText checks that JSON text is Unicode; at is the byte that the error names, -1 if there is
// none. It does not check that the text is JSON. Every endpoint that takes JSON needs it, because
// encoding/json silently replaces what is wrong.
func CheckText(b []byte) (at int, err error) {
	if at = notText(b); at < 0 {
		return at, nil
	}
	return at, errors.New(refuseNotText(b, at).Message)
}

// notUTF8 returns the index of the first byte of a text that is not UTF-8; -1 if there is none.
func notUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
}

// isUnicodeEscape reports whether b begins with a whole \u escape.
func isUnicodeEscape(b []byte) bool {
	const one = len(`\u0000`)
	if len(b) < one || b[0] != '\\' || b[1] != 'u' {
		return false
	}
	for _, c := range b[2:one] {
		if unhex(c) < 0 {
			return false
		}
	}
	return true
}

// unicodeEscape returns the length of the well-formed \u escape that b begins with, both halves of
// a pair together; 0 for half a pair.
func unicodeEscape(b []byte) int {
	const one, pair = len(`\u0000`), len(`\u0000\u0000`)
	r := hex4(b, 2)
	if !utf16.IsSurrogate(r) {
		return one
	}
	if len(b) >= pair && isUnicodeEscape(b[one:]) && utf16.DecodeRune(r, hex4(b, one+2)) != utf8.RuneError {
		return pair
	}
	return 0
}

// refuseNotText describes what is at the index that notText returned.
func refuseNotText(b []byte, at int) *Refusal {
	what := notUTF8Byte(b[at])
	if b[at] == '\\' {
		what = string(b[at:at+6]) + ", half of a surrogate pair,"
	}
	return refuseText(what, at, fieldAt(b, at))
}

func notUTF8Byte(c byte) string { return fmt.Sprintf("byte 0x%02x, which is not UTF-8,", c) }

// refuseText names what is not allowed in a text, and where it is.
func refuseText(what string, at int, field string) *Refusal {
	if field == "" {
		return refuse(ReasonMalformed, "%s at byte %d", what, at)
	}
	return refuse(ReasonMalformed, "%s at byte %d, in %q", what, at, field)
}

// fieldAt returns the path (as in labels.country) to the object member whose name or value contains
// that byte; of a name only the part before the byte. It follows the text as far as it is JSON.
func fieldAt(b []byte, at int) string {
	path := ""
	for i := skipSpace(b, 0); i < len(b) && b[i] == '{'; {
		name, value, end := memberAt(b, i, at)
		if end == 0 {
			break
		}
		if path != "" {
			path += "."
		}
		path += shown(string(name))
		i = value
	}
	return path
}

// memberAt finds the member of the object at i that contains a byte; end is 0 if there is none.
func memberAt(b []byte, i, at int) (name []byte, value, end int) {
	i = skipSpace(b, i+1)
	for i < len(b) && b[i] == '"' {
		if name, _, value = scanName(b, i); value < 0 {
			return nil, 0, 0
		}
		end = skipValue(b, value, MaxNesting)
		switch {
		case at < i, end < 0:
			return nil, 0, 0
		case at < value:
			return name[:min(len(name), max(0, at-i-1))], len(b), end
		case at < end:
			return name, value, end
		}
		var more bool
		if i, more = scanNext(b, end); !more {
			break
		}
	}
	return nil, 0, 0
}
