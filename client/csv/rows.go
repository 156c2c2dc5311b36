package csv

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/dashfeed/dashfeed/messages/event"
)

const dayMs = 24 * 60 * 60 * 1000

// Rows makes events of the rows of one file, round after round. One goroutine uses it.
type Rows struct {
	options Options
	maps    []bound
	header  []string
	reader  *csv.Reader

	row    int   // of this round, from 1
	round  int   // from 1
	period int64 // ms by which each round lies after the one before
	seen   bool  // an event with a time; then least and most hold
	least  int64
	most   int64

	stats  Stats
	events []event.Event
}

// Stats counts what became of rows, over all rounds.
type Stats struct {
	Rows   int // read
	Events int // made
	Null   int // events not made because their value is null
	Bad    int // rows with an error
}

// RowError is one row that made no events, because of what stands in it.
type RowError struct {
	File   string
	Line   int
	Row    int    // from 1, without the header
	Column string // "" where the row as a whole is meant
	Err    error
}

// Error names the place and what was given and is allowed.
func (e *RowError) Error() string {
	place := fmt.Sprintf("%s:%d: row %d", e.File, e.Line, e.Row)
	if e.Column != "" {
		place += fmt.Sprintf(", column %q", e.Column)
	}
	return place + ": " + e.Err.Error()
}

// Unwrap is what was wrong.
func (e *RowError) Unwrap() error { return e.Err }

// Open reads the header of r and binds the mappings to its columns. The error names every column that is not there.
func Open(r io.Reader, m []Mapping, o Options) (*Rows, error) {
	if o.File == "" {
		o.File = "input"
	}
	if len(m) == 0 {
		return nil, fmt.Errorf("%s: no mapping: at least metric and value", o.File)
	}
	rows := &Rows{options: o, round: 1}
	if err := rows.begin(r); err != nil {
		return nil, err
	}
	var errs []error
	for i, mapping := range m {
		b, err := rows.bind(mapping)
		if err != nil {
			errs = append(errs, err)
		}
		b.suffix = suffixOf(m, i)
		rows.maps = append(rows.maps, b)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return rows, nil
}

// begin reads the header.
func (r *Rows) begin(src io.Reader) error {
	r.reader = csv.NewReader(src)
	r.reader.ReuseRecord = true
	if r.options.Comma != 0 {
		r.reader.Comma = r.options.Comma
	}
	header, err := r.reader.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: empty: the first line names the columns", r.options.File)
	}
	if err != nil {
		return fmt.Errorf("%s: header: %w", r.options.File, err)
	}
	header = slices.Clone(header)
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	if r.header != nil && !slices.Equal(r.header, header) {
		return fmt.Errorf("%s: round %d has other columns than the first: %q, not %q", r.options.File, r.round+1, header, r.header)
	}
	r.header, r.row = header, 0
	return nil
}

// Next makes the events of the next row: one for each mapping whose value is not null, so perhaps none. They are good
// until the next call. io.EOF at the end of the round; a *RowError is that row's alone, and Next may be called again.
func (r *Rows) Next() ([]event.Event, error) {
	record, err := r.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	r.row++
	r.stats.Rows++
	if err != nil {
		return nil, r.unreadable(err, len(record))
	}
	line, _ := r.reader.FieldPos(0)
	r.events = r.events[:0]
	for i := range r.maps {
		e, made, err := r.maps[i].make(r, record)
		if err != nil {
			r.stats.Bad++
			err.File, err.Line, err.Row = r.options.File, line, r.row
			return nil, err
		}
		if !made {
			r.stats.Null++
			continue
		}
		r.events = append(r.events, e)
	}
	r.stats.Events += len(r.events)
	return r.events, nil
}

// unreadable is a row that is no CSV (a *RowError), or the end of reading.
func (r *Rows) unreadable(err error, columns int) error {
	r.stats.Bad++
	var p *csv.ParseError
	if !errors.As(err, &p) {
		return fmt.Errorf("%s: row %d: %w", r.options.File, r.row, err)
	}
	if errors.Is(p.Err, csv.ErrFieldCount) {
		p.Err = fmt.Errorf("%d columns, the header has %d", columns, len(r.header))
	}
	return &RowError{File: r.options.File, Line: p.Line, Row: r.row, Err: p.Err}
}

// Again begins another round over the same file, given anew. Its times lie later by the length of the file, rounded up
// to whole days so that hours of the day stay what they are, and its ids end in #2, #3 and so on: an unmoved round would
// be late, one with the same ids would be copies.
func (r *Rows) Again(src io.Reader) error {
	if r.round == 1 && r.seen {
		r.period = max(1, (r.most-r.least+dayMs-1)/dayMs) * dayMs
	}
	if err := r.begin(src); err != nil {
		return err
	}
	r.round++
	return nil
}

// Stats is what became of the rows so far.
func (r *Rows) Stats() Stats { return r.stats }

// Round is the number of the round, from 1.
func (r *Rows) Round() int { return r.round }

// Span is the least and the greatest event time of the first round so far, ms; ok where there was one.
func (r *Rows) Span() (least, most int64, ok bool) { return r.least, r.most, r.seen }

// moved is a time of the file in this round.
func (r *Rows) moved(ms int64) int64 {
	if r.round == 1 {
		if !r.seen {
			r.seen, r.least, r.most = true, ms, ms
		}
		r.least, r.most = min(r.least, ms), max(r.most, ms)
	}
	return ms + int64(r.round-1)*r.period
}

// suffixed is an id of the file in this round.
func (r *Rows) suffixed(id string) string {
	if r.round == 1 {
		return id
	}
	return id + "#" + strconv.Itoa(r.round)
}
