package lines

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// read returns every line of a file as NUMBER:LINE.
func read(t *testing.T, file io.Reader, encoding string) string {
	t.Helper()
	text, err := Open(file, encoding)
	if err != nil {
		return "error: " + err.Error()
	}
	r := New(text)
	var got []string
	for {
		number := r.Number()
		line, err := r.Line()
		switch {
		case errors.Is(err, io.EOF):
			return strings.Join(got, "\n")
		case errors.Is(err, ErrTooLong):
			got = append(got, fmt.Sprintf("%d:too long", number))
			if err := r.Skip(); err != nil {
				t.Fatal(err)
			}
		case err != nil:
			return strings.Join(append(got, "error: "+err.Error()), "\n")
		default:
			if wrong := Check(line); wrong != nil {
				line = []byte(wrong.Error())
			}
			got = append(got, fmt.Sprintf("%d:%s", number, line))
		}
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func zstandard(text string) string {
	w, _ := zstd.NewWriter(nil)
	defer w.Close()
	return string(w.EncodeAll([]byte(text), nil))
}

func units(text string, order ...int) string {
	var b strings.Builder
	for _, r := range text {
		unit := []byte{byte(r), byte(r >> 8)}
		b.WriteByte(unit[order[0]])
		b.WriteByte(unit[order[1]])
	}
	return b.String()
}

// TestLines: every way to write a file gives the same lines, in pieces of any size.
func TestLines(t *testing.T) {
	const want = "1:Müller\n2:\n3:b"
	for _, c := range []struct{ name, file, encoding, want string }{
		{"plain", "Müller\n\nb\n", "", want},
		{"no end at the end", "Müller\n\nb", "utf-8", want},
		{"windows", "Müller\r\n\r\nb\r\n", "", want},
		{"old Macs", "Müller\r\rb\r", "", want},
		{"a return inside a line", "a\rb\nc\n", "", "1:a\n2:b\n3:c"},
		{"a return in a file of newlines", "a\nb\rc\n", "", "1:a\n2:b\rc"},
		{"empty", "", "", ""},
		{"marked", "\xef\xbb\xbfMüller\n\nb", "", want},
		{"marked, whatever the option", "\xef\xbb\xbfMüller\n\nb", "latin1", want},
		{"gzip", zipped("\xef\xbb\xbfMüller\n\nb"), "", want},
		{"gzip twice", zipped("Müller\n") + zipped("\nb"), "", want},
		{"zstd", zstandard("Müller\n\nb"), "", want},
		{"bzip2", "BZh91AY&SY\xcb\xf2\x2f\x39", "", "error: bzip2 data invalid: block checksum mismatch"},
		{"gzip cut off", zipped("a\nb\nc\n")[:20], "", "1:a\n2:b\n3:c\nerror: unexpected EOF"},
		{"utf-16, little end first", units("\ufeffMüller\r\n\r\nb", 0, 1), "", want},
		{"utf-16, big end first", units("\ufeffMüller\n\nb", 1, 0), "", want},
		{"utf-16 of that name", units("\ufeffMüller\n\nb", 1, 0), "utf-16", want},
		{"utf-16 without mark", units("Müller\n\nb", 0, 1), "utf-16le", want},
		{"utf-16 without mark or word", units("a", 0, 1), "", "1:byte 2 is NUL: the file is not text, or it is UTF-16 (--encoding utf-16le)"},
		{"utf-16 of no known order", units("Müller\n\nb", 0, 1), "utf-16", "error: it does not begin with a byte order mark: give utf-16le or utf-16be"},
		{"a pair", "\xff\xfe\x3d\xd8\x00\xde", "", "1:😀"},
		{"half pairs are no text, and not the same one", "\xff\xfe\x3d\xd8a\x00\n\x00\x00\xde", "", "1:byte 1 (0xED) is not UTF-8: --encoding sets the file's encoding, such as latin1\n2:byte 1 (0xED) is not UTF-8: --encoding sets the file's encoding, such as latin1"},
		{"half a unit", "\xff\xfea\x00b", "", "1:byte 2 (0xFF) is not UTF-8: --encoding sets the file's encoding, such as latin1"},
		{"utf-32", "\xff\xfe\x00\x00a\x00\x00\x00", "", "error: it is UTF-32: utf-8, latin1, windows-1252, utf-16, utf-16le, utf-16be can be read"},
		{"latin1", "M\xfcller\n\nb", "latin1", want},
		{"windows-1252", "M\xfcller \x80\n\nb", "windows-1252", "1:Müller €\n2:\n3:b"},
		{"latin1 unsaid", "M\xfcller\n\nb", "", "1:byte 2 (0xFC) is not UTF-8: --encoding sets the file's encoding, such as latin1\n2:\n3:b"},
		{"a workbook", "PK\x03\x04....", "", "error: it is a zip archive or a workbook (.xlsx), not text: gzip, zstd and bzip2 are unpacked"},
		{"xz", "\xfd7zXZ\x00", "", "error: it is packed by xz, not text: gzip, zstd and bzip2 are unpacked"},
		{"another word", "a", "ebcdic", `error: encoding "ebcdic" is not known: utf-8, latin1, windows-1252, utf-16, utf-16le, utf-16be`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, file := range []io.Reader{strings.NewReader(c.file), iotest.OneByteReader(strings.NewReader(c.file))} {
				if got := read(t, file, c.encoding); got != c.want {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
			}
		})
	}
}

// TestEveryByteIsAnotherCharacter: a single-byte encoding never maps two bytes to one character.
func TestEveryByteIsAnotherCharacter(t *testing.T) {
	for _, encoding := range []string{"latin1", "windows-1252"} {
		seen := map[string]int{}
		for c := range 256 {
			text, err := Open(strings.NewReader("a"+string([]byte{byte(c)})), encoding)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(text)
			if before, ok := seen[string(got)]; ok || err != nil {
				t.Errorf("%s: %#x and %#x are both %q, %v", encoding, before, c, got, err)
			}
			seen[string(got)] = c
		}
	}
}

// TestLongLines: a line over the bound costs itself only, and no more memory than the bound.
func TestLongLines(t *testing.T) {
	fits, over := strings.Repeat("x", MaxBytes), strings.Repeat("y", MaxBytes+1)
	got := read(t, strings.NewReader("a\n"+fits+"\n"+over+"\nb\n"+over+over+over+"\n"+over), "")
	if want := "1:a\n2:" + fits + "\n3:too long\n4:b\n5:too long\n6:too long"; got != want {
		t.Errorf("got %.20q … %q", got, got[max(0, len(got)-60):])
	}
	r := New(io.LimitReader(endless{}, 64<<20))
	if _, err := r.Line(); !errors.Is(err, ErrTooLong) {
		t.Fatal(err)
	}
	if err := r.Skip(); err != nil || cap(r.line) > 2*MaxBytes+2*pieceBytes || len(r.back) > 0 {
		t.Errorf("%v; %d bytes are held", err, cap(r.line))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// TestUnread: text that was given back comes again, with its line numbers, before what follows.
func TestUnread(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", "\r"} {
		r := New(strings.NewReader(strings.Join([]string{"a", "b", "c", "d"}, end)))
		for range 3 {
			if _, err := r.Line(); err != nil {
				t.Fatal(err)
			}
		}
		r.Unread([]byte("b\nc\n"), 2)
		var got []string
		for {
			number := r.Number()
			line, err := r.Line()
			if err != nil {
				break
			}
			got = append(got, fmt.Sprintf("%d%s", number, line))
		}
		if strings.Join(got, " ") != "2b 3c 4d" {
			t.Errorf("%q: got %v", end, got)
		}
	}
}
