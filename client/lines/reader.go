package lines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// MaxBytes is the longest line, and the longest record of several lines.
const MaxBytes = 2 << 20

// pieceBytes is how much of a line is looked at once.
const pieceBytes = 64 << 10

// ErrTooLong says that a line has more than MaxBytes.
var ErrTooLong = errors.New("a line has at most 2097152 bytes")

// Reader cuts text into lines. One goroutine uses it.
type Reader struct {
	src    *bufio.Reader
	back   []byte // given back: comes before src
	number int    // of the line that the next piece belongs to, from 1
	ends   lineEnd
	line   []byte // of Line
	piece  []byte // of Piece, where it can't lie in src
}

// lineEnd is how a file's lines end.
type lineEnd uint8

const (
	undecided lineEnd = iota
	newline           // \n or \r\n
	carriage          // \r, as old Macs wrote
)

// New makes a Reader of UTF-8 text.
func New(text io.Reader) *Reader {
	return &Reader{src: bufio.NewReaderSize(text, pieceBytes), number: 1}
}

// Number is the number of the line that is read next, from 1.
func (r *Reader) Number() int { return r.number }

// Piece is the next part of the current line, without its end; ends tells that the line is over. It
// is good until the next call. io.EOF comes alone.
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
		// Looking on may move the buffer that piece lies in.
		r.piece = append(r.piece[:0], piece...)
		piece = r.piece
		if next, _ := r.look(); len(next) > 0 && next[0] == '\n' {
			r.skip(1)
		}
	}
	r.number++
	return piece, true, nil
}

// look is what lies ahead: at least a byte, unless there is an error.
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
	_, _ = r.src.Discard(n) // it was looked at
}

// end is where the line ends in buf, or -1.
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
	default: // the \r is the last that has come
		next, _ := r.src.Peek(len(buf) + 1)
		if r.ends = carriage; len(next) > len(buf) && next[len(buf)] == '\n' {
			r.ends = newline
		}
	}
}

// Line is the next line, whole, without its end; it is good until the next call. With ErrTooLong it
// is the beginning of a line whose rest comes next: Skip leaves that out.
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

// trimmed takes off the \r of an end \r\n.
func trimmed(line []byte) []byte { return bytes.TrimSuffix(line, []byte{'\r'}) }

// Skip leaves out the rest of the current line.
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

// Unread gives text back, which is read again; number is its first line's. It is bounded by what
// callers hold: MaxBytes and a piece.
func (r *Reader) Unread(text []byte, number int) {
	r.back = append(bytes.Clone(text), r.back...)
	r.number = number
}
