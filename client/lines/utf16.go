package lines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf16"
)

// utf16Reader decodes UTF-16. An unpaired surrogate becomes three bytes that are not UTF-8 (as in
// WTF-8), and half a unit at the end one such byte: replacing them would make one text of two.
type utf16Reader struct {
	src  *bufio.Reader
	big  bool
	high rune // the first half of a pair, while the second is expected
	text bytes.Buffer
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for u.text.Len() == 0 {
		if _, err := u.src.Peek(2); err != nil {
			return u.last(p, err)
		}
		raw, _ := u.src.Peek(u.src.Buffered() &^ 1)
		u.text.Reset()
		for i := 0; i < len(raw); i += 2 {
			unit := rune(raw[i]) | rune(raw[i+1])<<8
			if u.big {
				unit = rune(raw[i])<<8 | rune(raw[i+1])
			}
			u.take(unit)
		}
		_, _ = u.src.Discard(len(raw))
	}
	return u.text.Read(p)
}

func (u *utf16Reader) take(unit rune) {
	if u.high != 0 {
		high := u.high
		u.high = 0
		if pair := utf16.DecodeRune(high, unit); pair != '\ufffd' {
			u.text.WriteRune(pair)
			return
		}
		u.half(high)
	}
	switch {
	case 0xd800 <= unit && unit < 0xdc00:
		u.high = unit
	case utf16.IsSurrogate(unit):
		u.half(unit)
	default:
		u.text.WriteRune(unit)
	}
}

// half writes a single surrogate.
func (u *utf16Reader) half(r rune) {
	u.text.Write([]byte{0xe0 | byte(r>>12), 0x80 | byte(r>>6)&0x3f, 0x80 | byte(r)&0x3f})
}

// last returns what is left at the end.
func (u *utf16Reader) last(p []byte, err error) (int, error) {
	if !errors.Is(err, io.EOF) {
		return 0, err
	}
	if u.high != 0 {
		u.half(u.high)
		u.high = 0
	}
	if _, err := u.src.Discard(1); err == nil {
		u.text.WriteByte(0xff)
	}
	return u.text.Read(p)
}
