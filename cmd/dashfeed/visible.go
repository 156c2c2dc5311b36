package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible returns a client's text so that a terminal shows it on one line: it escapes what would
// move the cursor, change colours or turn the direction of reading. JSON and YAML have their own
// escapes and don't need it.
func visible(s string) string { return spellOut(s, false) }

// visibleLines is visible for a text that may have several lines.
func visibleLines(s string) string { return spellOut(s, true) }

func spellOut(s string, breaks bool) string {
	hides := func(r rune) bool { return acts(r) && !(breaks && r == '\n') }
	if utf8.ValidString(s) && strings.IndexFunc(s, hides) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case !hides(r):
			b.WriteString(s[:size])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[size:]
	}
	return b.String()
}

// acts reports whether a terminal acts on a character instead of showing it: C0, DEL, C1, the marks
// and overrides of direction, and the line separators.
func acts(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
