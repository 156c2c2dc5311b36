package lines

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
)

// Encodings lists the names of encodings; "" means UTF-8, unless the file begins with a byte order
// mark.
var Encodings = []string{"utf-8", "latin1", "windows-1252", "utf-16", "utf-16le", "utf-16be"}

// zstdWindow bounds the memory that a packed file can ask for.
const zstdWindow = 128 << 20

// Open unpacks a file and decodes it to UTF-8. It drops a byte order mark at the start, which wins
// over the encoding.
func Open(file io.Reader, encoding string) (io.Reader, error) {
	if encoding != "" && !slices.Contains(Encodings, encoding) {
		return nil, fmt.Errorf("encoding %q is not known: %s", encoding, strings.Join(Encodings, ", "))
	}
	packed := bufio.NewReaderSize(file, pieceBytes)
	unpacked, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	text, ok := unpacked.(*bufio.Reader)
	if !ok {
		text = bufio.NewReaderSize(unpacked, pieceBytes)
	}
	return decode(text, encoding)
}

// UnpackedName returns the name of a packed file without the suffix of the packer.
func UnpackedName(name string) string {
	for _, end := range []string{".gz", ".zst", ".bz2"} {
		if short, ok := strings.CutSuffix(name, end); ok {
			return short
		}
	}
	return name
}

// unpack detects packed files by their first bytes.
func unpack(r *bufio.Reader) (io.Reader, error) {
	switch {
	case begins(r, "\x1f\x8b"):
		return gzip.NewReader(r)
	case begins(r, "\x28\xb5\x2f\xfd"):
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
	case begins(r, "BZh"):
		return bzip2.NewReader(r), nil
	}
	for _, other := range []struct{ magic, name string }{
		{"PK\x03\x04", "a zip archive or a workbook (.xlsx)"}, {"\xfd7zXZ", "packed by xz"}, {"PAR1", "Parquet"}, {"\xd0\xcf\x11\xe0", "a workbook (.xls)"},
	} {
		if begins(r, other.magic) {
			return nil, fmt.Errorf("it is %s, not text: gzip, zstd and bzip2 are unpacked", other.name)
		}
	}
	return r, nil
}

// begins reports whether the file begins with magic. It asks for no more bytes than it needs: a
// pipe may hold few for now.
func begins(r *bufio.Reader, magic string) bool {
	for i := range len(magic) {
		if head, _ := r.Peek(i + 1); len(head) <= i || head[i] != magic[i] {
			return false
		}
	}
	return true
}

// marks lists the byte order marks. Those of UTF-32 come first: one of them begins like UTF-16's.
var marks = []struct{ bytes, encoding string }{
	{"\xff\xfe\x00\x00", "utf-32"},
	{"\x00\x00\xfe\xff", "utf-32"},
	{"\xef\xbb\xbf", "utf-8"},
	{"\xff\xfe", "utf-16le"},
	{"\xfe\xff", "utf-16be"},
}

func decode(r *bufio.Reader, encoding string) (io.Reader, error) {
	for _, mark := range marks {
		if begins(r, mark.bytes) {
			_, _ = r.Discard(len(mark.bytes))
			encoding = mark.encoding
			break
		}
	}
	switch encoding {
	case "latin1":
		return &bytewise{src: r, chars: charmap.ISO8859_1}, nil
	case "windows-1252":
		return &bytewise{src: r, chars: charmap.Windows1252}, nil
	case "utf-16le":
		return &utf16Reader{src: r}, nil
	case "utf-16be":
		return &utf16Reader{src: r, big: true}, nil
	case "utf-16":
		return nil, errors.New("it does not begin with a byte order mark: give utf-16le or utf-16be")
	case "utf-32":
		return nil, fmt.Errorf("it is UTF-32: %s can be read", strings.Join(Encodings, ", "))
	}
	return r, nil
}

// bytewise decodes a single-byte encoding.
type bytewise struct {
	src   *bufio.Reader
	chars *charmap.Charmap
	text  bytes.Buffer
}

func (b *bytewise) Read(p []byte) (int, error) {
	if b.text.Len() == 0 {
		if _, err := b.src.Peek(1); err != nil {
			return 0, err
		}
		raw, _ := b.src.Peek(b.src.Buffered())
		b.text.Reset()
		for _, c := range raw {
			if r := b.chars.DecodeByte(c); r != utf8.RuneError {
				b.text.WriteRune(r)
			} else {
				// not a character; all five undefined bytes of windows-1252 would become the same
				// one
				b.text.WriteByte(c)
			}
		}
		_, _ = b.src.Discard(len(raw))
	}
	return b.text.Read(p)
}
