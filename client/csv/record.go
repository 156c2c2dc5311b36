package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/dashfeed/dashfeed/client/lines"
)

// records cuts a file into records as RFC 4180 says. A record of several lines has at most
// lines.MaxBytes. One whose quote does not end costs its first line only: the others are read anew,
// since what looks like text in quotes are rows.
type records struct {
	lines *lines.Reader
	comma string

	line   int    // where the record begins
	spans  int    // how many lines it has
	raw    []byte // its lines, \n between them
	text   []byte // its fields, one after another
	ends   []int  // of each field in text
	opened int    // number of the field (from 0) whose quote is open; else -1
	broken error  // reading failed: there is no next record
}

// recordError is a record that can't be read; the next one can.
type recordError struct {
	line  int
	field int // from 0; -1: the record as a whole
	err   error
}

func (e *recordError) Error() string { return e.err.Error() }

var (
	errBareQuote = errors.New(`a " stands in a field that does not begin with one`)
	errQuote     = errors.New(`extraneous or missing " in quoted-field`)

	errOpenAtEnd   = errors.New("does not end before the file does")
	errOpenTooLong = fmt.Errorf("does not end within %d bytes", lines.MaxBytes)
)

func newRecords(r io.Reader, comma rune) *records {
	if comma == 0 {
		comma = ','
	}
	return &records{lines: lines.New(r), comma: string(comma)}
}

// next are the fields of the next record; their texts are good for ever, the slice until the next
// call. Empty lines are left out.
func (r *records) next(fields []string) ([]string, error) {
	r.spans, r.raw, r.text, r.ends, r.opened = 1, r.raw[:0], r.text[:0], r.ends[:0], -1
	for {
		r.line = r.lines.Number()
		line, err := r.lines.Line()
		if errors.Is(err, lines.ErrTooLong) {
			if err := r.lines.Skip(); err != nil {
				return nil, err
			}
			return nil, &recordError{r.line, -1, err}
		}
		if err != nil {
			return nil, err
		}
		if len(line) > 0 {
			r.raw = append(r.raw, line...)
			break
		}
	}
	if err := r.parse(); err != nil {
		return nil, r.giveUp(err)
	}
	all := string(r.text)
	start := 0
	for _, end := range r.ends {
		fields = append(fields, all[start:end])
		start = end
	}
	return fields, nil
}

// parse cuts raw into fields, and reads on while a quote is open.
func (r *records) parse() error {
	rest := r.raw
	for {
		var err error
		var more bool
		if len(rest) > 0 && rest[0] == '"' {
			rest, more, err = r.quoted(rest[1:])
		} else {
			rest, more, err = r.bare(rest)
		}
		if err != nil {
			return err
		}
		r.ends = append(r.ends, len(r.text))
		if !more {
			return nil
		}
	}
}

// bare reads a field without quotes; more tells that another field follows.
func (r *records) bare(rest []byte) (after []byte, more bool, err error) {
	field, after, more := bytes.Cut(rest, []byte(r.comma))
	if bytes.IndexByte(field, '"') >= 0 {
		return nil, false, errBareQuote
	}
	r.text = append(r.text, field...)
	return after, more, nil
}

// quoted reads a field behind its quote, over as many lines as it takes.
func (r *records) quoted(rest []byte) (after []byte, more bool, err error) {
	r.opened = len(r.ends)
	for {
		i := bytes.IndexByte(rest, '"')
		if i < 0 {
			r.text = append(append(r.text, rest...), '\n')
			if rest, err = r.another(); err != nil {
				return nil, false, err
			}
			continue
		}
		r.text = append(r.text, rest[:i]...)
		rest = rest[i+1:]
		switch {
		case len(rest) > 0 && rest[0] == '"':
			r.text = append(r.text, '"')
			rest = rest[1:]
		case len(rest) == 0:
			r.opened = -1
			return nil, false, nil
		case bytes.HasPrefix(rest, []byte(r.comma)):
			r.opened = -1
			return rest[len(r.comma):], true, nil
		default:
			return nil, false, errQuote
		}
	}
}

// another reads another line into the record.
func (r *records) another() ([]byte, error) {
	number := r.lines.Number()
	line, err := r.lines.Line()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errOpenAtEnd
	case err == nil && len(r.raw)+1+len(line) <= lines.MaxBytes:
		start := len(r.raw) + 1
		r.raw = append(append(r.raw, '\n'), line...)
		r.spans++
		return r.raw[start:], nil
	case err == nil:
		line = append(line[:len(line):len(line)], '\n')
	case !errors.Is(err, lines.ErrTooLong):
		r.broken = err
		return nil, err
	}
	r.lines.Unread(line, number)
	return nil, errOpenTooLong
}

// giveUp leaves out the record's first line and gives the others back.
func (r *records) giveUp(err error) error {
	if r.broken != nil {
		return r.broken
	}
	if r.opened < 0 {
		return &recordError{r.line, len(r.ends), err}
	}
	first, others, several := bytes.Cut(r.raw, []byte{'\n'})
	if several {
		r.raw = first
		r.lines.Unread(append(others, '\n'), r.line+1)
	}
	return &recordError{r.line, r.opened, r.openQuote(err)}
}

// openQuote says what is wrong with a quote that opens in the record's first line, and what becomes
// of the lines behind it.
func (r *records) openQuote(err error) error {
	others := r.spans - 1
	switch {
	case others == 0 && err == errQuote:
		return err
	case others == 0:
		return fmt.Errorf("the quote that opens here %w", err)
	case err == errQuote:
		err = fmt.Errorf("goes to line %d: %w", r.line+others, err)
	}
	return fmt.Errorf("the quote that opens here %w; this line is left out, what went with it in %d lines is read as rows", err, others)
}
