package event

import (
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// alias returns b as a string that shares its memory.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// text decodes the text between a string's quotes. The result aliases raw, or the scratch if there
// is an escape. Text that is not Unicode is replaced, as encoding/json does; Decode refuses it.
func (d *Decoder) text(raw []byte, plain bool) string {
	if plain {
		return alias(raw)
	}
	start := len(d.scratch)
	d.scratch = appendText(d.scratch, raw)
	return alias(d.scratch[start:])
}

// appendText appends the decoded form of raw, the scanned text between a string's quotes.
func appendText(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '\\':
			var r rune
			r, i = unescape(raw, i+1)
			dst = utf8.AppendRune(dst, r)
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, size := utf8.DecodeRune(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
		}
	}
	return dst
}

// unescape reads what follows a backslash at i; the scanner has checked that it is well formed.
func unescape(raw []byte, i int) (r rune, next int) {
	switch c := raw[i]; c {
	case 'b':
		return '\b', i + 1
	case 'f':
		return '\f', i + 1
	case 'n':
		return '\n', i + 1
	case 'r':
		return '\r', i + 1
	case 't':
		return '\t', i + 1
	case 'u':
		r, next = hex4(raw, i+1), i+5
		if !utf16.IsSurrogate(r) {
			return r, next
		}
		if next+6 <= len(raw) && raw[next] == '\\' && raw[next+1] == 'u' {
			if pair := utf16.DecodeRune(r, hex4(raw, next+2)); pair != utf8.RuneError {
				return pair, next + 6
			}
		}
		return utf8.RuneError, next
	default:
		return rune(c), i + 1
	}
}

func hex4(raw []byte, i int) rune {
	return unhex(raw[i])<<12 | unhex(raw[i+1])<<8 | unhex(raw[i+2])<<4 | unhex(raw[i+3])
}

// oneLine returns the JSON text raw without line breaks, so that it fits in one frame and prints on
// one line. Line breaks and tabs in raw lie between its tokens.
func (d *Decoder) oneLine(raw []byte) []byte {
	clean := true
	for _, c := range raw {
		clean = clean && c >= ' '
	}
	if clean {
		return raw
	}
	start := len(d.scratch)
	for _, c := range raw {
		d.scratch = append(d.scratch, max(c, ' '))
	}
	return d.scratch[start:]
}
