package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Text that is not Unicode is refused, never mended: with a replacement for what is wrong two keys
// would become one.

// skipPlain is the index, from i on, of the first byte that is a backslash or not ASCII.
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

// notText is the index of the first byte of JSON text b that is no UTF-8, or of the first escape of
// half a surrogate pair; -1 where all is well. In text that is valid JSON every backslash begins an
// escape inside a string; in other text what is wrong with that is for a parser to say.
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

// CheckText looks whether JSON text is Unicode; at is the byte that the error names, -1 where all
// is well. Whether it is JSON is not looked at. Other doors than those of events ask, too:
// encoding/json replaces what is wrong.
func CheckText(b []byte) (at int, err error) {
	if at = notText(b); at < 0 {
		return at, nil
	}
	return at, errors.New(refuseNotText(b, at).Message)
}

// notUTF8 is the index of the first byte of a text that is not UTF-8; -1 where all is well.
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

// unicodeEscape is the length of the well-formed \u escape that b begins with, both halves of a
// pair taken together; 0 for half a pair.
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

// refuseNotText says what is at the index that notText gave.
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

// fieldAt is the path, as in labels.country, to the member of an object whose name or value has
// that byte; of a name only what is before the byte. It goes as far as the text is JSON.
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

// memberAt finds the member of the object at i that has a byte; end is 0 where none has.
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
