package ndjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/client/lines"
	"github.com/dashfeed/dashfeed/messages/event"
)

// Value is one JSON value of a file.
type Value struct {
	Text []byte       // valid until the next call; it may hold line breaks between its parts
	Line int          // its first line
	Sum  xxh3.Uint128 // hash of the file's values up to and including this one
}

// BadValue is one value that can't be returned; the next one can.
type BadValue struct {
	Line   int
	Reason string // a reason of package event
	Err    error
}

func (b *BadValue) Error() string { return b.Err.Error() }

// Unwrap returns the cause.
func (b *BadValue) Unwrap() error { return b.Err }

// Reader reads the values. One goroutine uses it.
type Reader struct {
	cursor
	scan  scanner
	hash  xxh3.Hasher
	text  []byte
	array int // first line of the array that contains the values; 0: none
	want  place
	lost  bool // nothing behind a broken element could be read
}

// place is where in an array the reader is.
type place uint8

const (
	first   place = iota // an element, or the end
	element              // an element, after a comma
	comma                // a comma, or the end
)

// New returns a Reader.
func New(l *lines.Reader) *Reader { return &Reader{cursor: cursor{lines: l, fresh: true}} }

// Next returns the next value. An error that is neither io.EOF nor a *BadValue ends the reading.
func (r *Reader) Next() (Value, error) {
	for {
		c, err := r.space()
		switch {
		case errors.Is(err, io.EOF) && r.array > 0:
			return Value{}, r.noEnd()
		case err != nil:
			return Value{}, err
		case r.array == 0 && c == '[':
			r.array, r.want = r.line, first
			r.take()
		case r.array == 0 && c == '{':
			return r.value()
		case r.array == 0:
			r.text = r.text[:0]
			return r.restOfLine(Value{Line: r.line}, false)
		default:
			v, given, err := r.inArray(c)
			if given || err != nil {
				return v, err
			}
		}
	}
}

// inArray continues inside an array; c is the next byte.
func (r *Reader) inArray(c byte) (v Value, given bool, err error) {
	switch {
	case c == ']':
		r.take()
		r.array = 0
		if r.want == element {
			return v, false, r.bad(r.line, "unexpected ']' after a comma")
		}
	case c == ',' && r.want == comma:
		r.take()
		r.want = element
	case c == ',':
		r.take()
		return v, false, r.bad(r.line, "unexpected ',': an element is missing")
	case r.want == comma:
		r.want = element
		return v, false, r.bad(r.line, fmt.Sprintf("unexpected %q: a comma is missing before it", c))
	default:
		r.want = comma
		v, err = r.value()
		return v, true, err
	}
	return v, false, nil
}

// noEnd says why an array ends with its file.
func (r *Reader) noEnd() error {
	if r.lost {
		return fmt.Errorf("line %d: the values that follow in the array that begins here can't be separated", r.array)
	}
	return fmt.Errorf("line %d: the array that begins here has no end", r.array)
}

func (r *Reader) bad(line int, what string) *BadValue {
	return &BadValue{line, event.ReasonMalformed, errors.New(what)}
}

// value reads the value that begins here.
func (r *Reader) value() (Value, error) {
	v := Value{Line: r.line}
	indent, alone := bytes.Clone(r.indent), r.fresh
	r.text = r.text[:0]
	r.scan.begin()
	firstLine, long := 0, false // length of the text's first line, once the line is over
	for {
		chunk, err := r.chunk()
		if err != nil && !errors.Is(err, io.EOF) {
			return v, err
		}
		n, verdict := r.scan.run(chunk)
		if err != nil {
			verdict = invalid
		}
		lineEnds := n > 0 && chunk[0] == '\n'
		if lineEnds && firstLine == 0 {
			firstLine = len(r.text)
		}
		long = r.keep(n, long)
		switch {
		case verdict == invalid && firstLine == 0 && r.array == 0:
			return r.restOfLine(v, long)
		case verdict == invalid && r.array == 0 && !long && !laidOut(r.text[:firstLine]):
			r.giveBack(r.text[firstLine+1:], v.Line+1)
			return r.found(v, r.text[:firstLine], false)
		case verdict == invalid:
			return v, r.resume(v.Line, indent, alone, err)
		case lineEnds && long && r.array == 0 && firstLine >= lines.MaxBytes:
			return r.found(v, r.text, true)
		case verdict == whole && r.array == 0:
			return r.endOfLine(v, long)
		case verdict != more:
			return r.found(v, r.text, long)
		}
	}
}

// keep appends n bytes to the text, unless the value is too long.
func (r *Reader) keep(n int, long bool) bool {
	if chunk, _ := r.chunk(); !long {
		chunk = chunk[:min(n, lines.MaxBytes-len(r.text))]
		r.text = append(r.text, chunk...)
		long = len(chunk) < n
	}
	r.takeAll(n)
	return long
}

// endOfLine checks that another value or the end of the line follows a value. Otherwise the line is
// not a value, and the decoder says why.
func (r *Reader) endOfLine(v Value, long bool) (Value, error) {
	for {
		c, err := r.peek()
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return v, err
		case err != nil, c == '\n', c == '{', c == '[':
			return r.found(v, r.text, long)
		case c != ' ' && c != '\t' && c != '\r':
			return r.restOfLine(v, long)
		}
		long = r.keep(1, long)
	}
}

// restOfLine returns the whole line as one invalid value, for the decoder to say why.
func (r *Reader) restOfLine(v Value, long bool) (Value, error) {
	for {
		chunk, err := r.chunk()
		if err != nil && !errors.Is(err, io.EOF) {
			return v, err
		}
		if err != nil || chunk[0] == '\n' {
			return r.found(v, r.text, long)
		}
		long = r.keep(len(chunk), long)
	}
}

// found returns the value.
func (r *Reader) found(v Value, text []byte, long bool) (Value, error) {
	text = bytes.TrimRight(text, " \t\r\n")
	_, _ = r.hash.Write(text) // never fails
	_, _ = r.hash.Write(lineBreak)
	if long {
		return v, &BadValue{v.Line, event.ReasonTooLarge, lines.ErrTooLong}
	}
	v.Text, v.Sum = text, r.hash.Sum128()
	return v, nil
}

// laidOut reports whether a value spans several lines, judged by its first one.
func laidOut(line []byte) bool { return len(bytes.TrimSpace(line)) == 1 }

// resume skips to the beginning of the next value: a line with the same indentation. begun is the
// first line of the broken value, err the error at the broken byte: nil or io.EOF.
func (r *Reader) resume(begun int, indent []byte, alone bool, err error) error {
	if err != nil && r.array > 0 {
		return r.noEnd()
	}
	_, _ = r.hash.Write(r.text)
	c, _ := r.peek()
	what := fmt.Sprintf("unexpected %q", c)
	if err != nil {
		what = "unexpected end"
	}
	if begun != r.line {
		what += fmt.Sprintf(" in the value that begins in line %d", begun)
	}
	broken := r.bad(r.line, what)
	if !alone {
		indent = nil // it does not begin a line: the next value begins at the start of a line
	}
	for {
		if c, err = r.peek(); err != nil {
			r.lost = errors.Is(err, io.EOF)
			if r.lost {
				return broken
			}
			return err
		}
		if r.fresh && bytes.Equal(r.indent, indent) && c == '{' {
			r.want = element
			return broken
		}
		if r.fresh && r.array > 0 && c == ']' && len(r.indent) <= len(indent) {
			r.want = comma
			return broken
		}
		r.take()
	}
}
