package lines

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Check returns an error that names the first byte that is not UTF-8, or is NUL, which no text has.
func Check(text []byte) error {
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return fmt.Errorf("byte %d is NUL: the file is not text, or it is UTF-16 (--encoding utf-16le)", i+1)
	}
	if utf8.Valid(text) {
		return nil
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return fmt.Errorf("byte %d (0x%02X) is not UTF-8: --encoding sets the file's encoding, such as latin1", at+1, text[at])
		}
		at += size
	}
}
