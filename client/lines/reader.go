package lines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// MaxBytes bounds a line, and a record of several lines.
const MaxBytes = 2 << 20

// pieceBytes bounds a piece of a line.
const pieceBytes = 64 << 10

// ErrTooLong says that a line has more than MaxBytes.
var ErrTooLong = errors.New("a line has at most 2097152 bytes")

// Reader cuts text into lines. One goroutine uses it.
type Reader struct {
	src    *bufio.Reader
	back   []byte // text that was given back; it comes before src
	number int    // line of the next piece, from 1
	ends   lineEnd
	line   []byte // buffer of Line
	piece  []byte // buffer of Piece, if the piece can't stay in src
}

// lineEnd is how a file's lines end.
type lineEnd uint8

const (
	undecided lineEnd = iota
	newline           // \n or \r\n
	carriage          // \r, as old Macs wrote
)

// New returns a Reader of UTF-8 text.
func New(text io.Reader) *Reader {
	return &Reader{src: bufio.NewReaderSize(text, pieceBytes), number: 1}
}

// Number returns the number of the line that is read next, from 1.
func (r *Reader) Number() int { return r.number }

// Piece returns the next part of the current line, without the line's end; ends reports whether the
// line is over. The piece is valid until the next call. io.EOF comes alone.
func (r *Reader) Piece() (piece []byte, ends bool, err error) {
	buf, err := r.look()
	if len(buf) == 0 {
		return nil, false, err
	}
	i := r.end(buf)
	if i < 0 {
		r.skip(len(buf))
		return buf, false, nil
	}
	twin := r.ends == carriage && buf[i] == '\r'
	r.skip(i + 1)
	piece = buf[:i]
	if twin {
		// Reading ahead may move the buffer that piece points into.
		r.piece = append(r.piece[:0], piece...)
		piece = r.piece
		if next, _ := r.look(); len(next) > 0 && next[0] == '\n' {
			r.skip(1)
		}
	}
	r.number++
	return piece, true, nil
}

// look returns the bytes ahead: at least one, unless there is an error.
func (r *Reader) look() ([]byte, error) {
	if len(r.back) > 0 {
		return r.back, nil
	}
	if _, err := r.src.Peek(1); err != nil {
		return nil, err
	}
	return r.src.Peek(r.src.Buffered())
}

func (r *Reader) skip(n int) {
	if len(r.back) > 0 {
		r.back = r.back[n:]
		return
	}
	_, _ = r.src.Discard(n) // look has buffered it
}

// end returns where the line ends in buf, or -1.
func (r *Reader) end(buf []byte) int {
	if r.ends == undecided {
		r.decide(buf)
	}
	if r.ends == carriage {
		return bytes.IndexAny(buf, "\r\n")
	}
	return bytes.IndexByte(buf, '\n')
}

// decide learns from the first line how lines end.
func (r *Reader) decide(buf []byte) {
	switch i := bytes.IndexAny(buf, "\r\n"); {
	case i < 0:
	case buf[i] == '\n':
		r.ends = newline
	case i+1 < len(buf):
		if r.ends = carriage; buf[i+1] == '\n' {
			r.ends = newline
		}
	default: // the \r is the last byte read so far
		next, _ := r.src.Peek(len(buf) + 1)
		if r.ends = carriage; len(next) > len(buf) && next[len(buf)] == '\n' {
			r.ends = newline
		}
	}
}

// Line returns the next line, whole and without its end; it is valid until the next call. With
// ErrTooLong it returns the beginning of a line whose rest comes next: call Skip to skip the rest.
func (r *Reader) Line() ([]byte, error) {
	var line []byte
	for first := true; ; first = false {
		piece, ends, err := r.Piece()
		switch {
		case errors.Is(err, io.EOF) && !first:
			return trimmed(line), nil // the last line has no end
		case err != nil:
			return line, err
		case first && ends && len(piece) <= MaxBytes:
			return trimmed(piece), nil
		}
		if first {
			r.line = append(r.line[:0], piece...)
		} else {
			r.line = append(r.line, piece...)
		}
		if line = r.line; len(line) > MaxBytes {
			if ends {
				r.Unread(append(line[MaxBytes:len(line):len(line)], '\n'), r.number-1)
			}
			return line[:min(len(line), MaxBytes)], ErrTooLong
		}
		if ends {
			return trimmed(line), nil
		}
	}
}

// trimmed removes the \r of an end \r\n.
func trimmed(line []byte) []byte { return bytes.TrimSuffix(line, []byte{'\r'}) }

// Skip skips the rest of the current line.
func (r *Reader) Skip() error {
	for {
		_, ends, err := r.Piece()
		if ends || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Unread returns text to the reader, which reads it again; number is the first line of text. The
// callers bound its size: MaxBytes and a piece.
func (r *Reader) Unread(text []byte, number int) {
	r.back = append(bytes.Clone(text), r.back...)
	r.number = number
}
