package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/dashfeed/dashfeed/client/lines"
)

// records splits a file into records as RFC 4180 says. A record of several lines has at most
// lines.MaxBytes. If a quote does not end, only its first line is lost: the lines after it are read
// again, since they look like quoted text but are rows.
type records struct {
	lines *lines.Reader
	comma string

	line   int    // of the record's first line
	spans  int    // number of lines of the record
	raw    []byte // the lines, with \n between them
	text   []byte // the fields, one after another
	ends   []int  // end of each field in text
	opened int    // index of the field with an open quote, or -1
	broken error  // a read error: there is no next record
}

// recordError is a record that can't be read; the next one can.
type recordError struct {
	line  int
	field int // index; -1: the record as a whole
	err   error
}

func (e *recordError) Error() string { return e.err.Error() }

var (
	errBareQuote = errors.New(`a " inside a field that does not begin with one`)
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

// next returns the fields of the next record; the texts stay valid, the slice only until the next
// call. It skips empty lines.
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

// parse splits raw into fields, and reads more lines while a quote is open.
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

// bare reads a field without quotes; more reports whether another field follows.
func (r *records) bare(rest []byte) (after []byte, more bool, err error) {
	field, after, more := bytes.Cut(rest, []byte(r.comma))
	if bytes.IndexByte(field, '"') >= 0 {
		return nil, false, errBareQuote
	}
	r.text = append(r.text, field...)
	return after, more, nil
}

// quoted reads a field from behind its opening quote, over as many lines as it takes.
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

// another appends another line to the record.
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

// giveUp skips the record's first line and returns the others to the reader.
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

// openQuote says what is wrong with a quote that opens in the record's first line, and how many
// lines after it are read again.
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
	return fmt.Errorf("the quote that opens here %w; this line is skipped; lines after it, read as rows: %d", err, others)
}
