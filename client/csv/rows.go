package csv

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/client/lines"
	"github.com/dashfeed/dashfeed/messages/event"
)

const dayMs = 24 * 60 * 60 * 1000

// Rows makes events from the rows of one file, round after round. One goroutine uses it.
type Rows struct {
	options Options
	maps    []bound
	header  []string
	records *records
	fields  []string
	hash    xxh3.Hasher // of this round's records so far
	payload []byte

	row    int   // in this round, from 1
	round  int   // from 1
	period int64 // ms between the times of two rounds
	seen   bool  // an event had a time; then least and most are valid
	least  int64
	most   int64

	stats  Stats
	events []event.Event
}

// Stats counts rows and events over all rounds.
type Stats struct {
	Rows   int // read
	Events int // made
	Null   int // events not made because their value is null
	Bad    int // rows with an error
}

// RowError is one row that made no events, because of its content.
type RowError struct {
	File   string
	Line   int
	Row    int    // from 1, without the header
	Column string // "": the row as a whole
	Err    error
	Lines  int // number of lines of the row
}

// Error names the place, what was given and what is allowed.
func (e *RowError) Error() string {
	place := fmt.Sprintf("%s:%d: row %d", e.File, e.Line, e.Row)
	if e.Column != "" {
		place += fmt.Sprintf(", column %q", e.Column)
	}
	if e.Lines > 1 {
		return fmt.Sprintf("%s: %v; the row has %d lines", place, e.Err, e.Lines)
	}
	return place + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// Open reads the header of r and binds the mappings to its columns. The error names every column
// that is missing.
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
	r.records = newRecords(src, r.options.Comma)
	header, err := r.records.next(nil)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: empty: the first line names the columns", r.options.File)
	}
	if err == nil {
		const mark = "\ufeff"
		header[0] = strings.TrimPrefix(header[0], mark)
		r.records.raw = bytes.TrimPrefix(r.records.raw, []byte(mark))
		err = lines.Check(r.records.raw)
	}
	if err != nil {
		return fmt.Errorf("%s:%d: header: %w", r.options.File, r.records.line, err)
	}
	if r.header != nil && !slices.Equal(r.header, header) {
		return fmt.Errorf("%s: round %d has other columns than the first: %q, not %q", r.options.File, r.round+1, header, r.header)
	}
	r.header, r.row = header, 0
	r.hash.Reset()
	r.hashRecord()
	return nil
}

func (r *Rows) hashRecord() {
	_, _ = r.hash.Write(r.records.raw) // never fails
	_, _ = r.hash.Write([]byte{'\n'})
}

// Next makes the events of the next row: one for each mapping whose value is not null, so there may
// be none. They are valid until the next call. It returns io.EOF at the end of the round; a
// *RowError concerns that row only, and Next may be called again.
func (r *Rows) Next() ([]event.Event, error) {
	fields, err := r.records.next(r.fields[:0])
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	r.row++
	r.stats.Rows++
	r.hashRecord()
	if err != nil {
		return nil, r.unreadable(err)
	}
	r.fields = fields
	if err := r.check(fields); err != nil {
		return nil, err
	}
	r.events = r.events[:0]
	for i := range r.maps {
		e, made, err := r.maps[i].make(r, fields)
		if err != nil {
			return nil, r.bad(err)
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

// check refuses rows with another number of columns than the header's, and bytes that are not
// UTF-8.
func (r *Rows) check(fields []string) error {
	if lines.Check(r.records.raw) != nil {
		for i, text := range fields {
			if err := lines.Check([]byte(text)); err != nil {
				return r.bad(&RowError{Column: r.column(i), Err: err})
			}
		}
	}
	if len(fields) != len(r.header) {
		return r.bad(&RowError{Err: fmt.Errorf("%d columns, the header has %d", len(fields), len(r.header))})
	}
	return nil
}

// column returns the name of column i, or "" for columns beyond the header.
func (r *Rows) column(i int) string {
	if i < 0 || i >= len(r.header) {
		return ""
	}
	return r.header[i]
}

// bad counts a row with an error, and adds the place to the error.
func (r *Rows) bad(err *RowError) error {
	r.stats.Bad++
	err.File, err.Line, err.Row, err.Lines = r.options.File, r.records.line, r.row, r.records.spans
	return err
}

// unreadable turns a record that is not CSV into a *RowError, and returns other errors unchanged.
func (r *Rows) unreadable(err error) error {
	var record *recordError
	if !errors.As(err, &record) {
		r.stats.Bad++
		return fmt.Errorf("%s:%d: %w", r.options.File, r.records.line, err)
	}
	r.records.spans = 1 // the lines behind the first one are read again
	return r.bad(&RowError{Column: r.column(record.field), Err: err})
}

// Again starts another round over the same file, given again. Its times are later by the length of
// the file, rounded up to whole days so that hours of the day stay the same, and its ids end in #2,
// #3 and so on: with unchanged times its events would be late, with the same ids they would be
// copies.
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

// Stats returns the counts so far.
func (r *Rows) Stats() Stats { return r.stats }

// Round returns the number of the round, from 1.
func (r *Rows) Round() int { return r.round }

// Span returns the least and the greatest event time of the first round so far, in ms; ok is false
// if no event had a time.
func (r *Rows) Span() (least, most int64, ok bool) { return r.least, r.most, r.seen }

// moved returns the time in this round of a time in the file.
func (r *Rows) moved(ms int64) int64 {
	if r.round == 1 {
		if !r.seen {
			r.seen, r.least, r.most = true, ms, ms
		}
		r.least, r.most = min(r.least, ms), max(r.most, ms)
	}
	return ms + int64(r.round-1)*r.period
}

// suffixed returns the id in this round of an id in the file.
func (r *Rows) suffixed(id string) string {
	if r.round == 1 {
		return id
	}
	return id + "#" + strconv.Itoa(r.round)
}

// invented returns the id of an event that has none of its own. The id depends on the file up to
// and including the event's row and on the event, and on nothing else. The mark ~ tells the
// dashboard that no sender gave it.
func (r *Rows) invented(e *event.Event) string {
	r.payload = event.AppendJSON(r.payload[:0], e)
	file := r.hash.Sum128()
	base := "~" + Token(file, r.payload)
	id := base
	for n := 2; slices.ContainsFunc(r.events, func(o event.Event) bool { return o.ID == r.suffixed(id) }); n++ {
		id = base + "/" + strconv.Itoa(n) // two mappings make the same event on purpose
	}
	return r.suffixed(id)
}

// Token returns a short text that identifies the beginning of a file, by its hash, together with an
// event made of its end.
func Token(file xxh3.Uint128, payload []byte) string {
	var b [32]byte
	binary.LittleEndian.PutUint64(b[:], file.Lo)
	binary.LittleEndian.PutUint64(b[8:], file.Hi)
	of := xxh3.Hash128(payload)
	binary.LittleEndian.PutUint64(b[16:], of.Lo)
	binary.LittleEndian.PutUint64(b[24:], of.Hi)
	sum := xxh3.Hash128(b[:]).Bytes()
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Line returns the line where the row that Next read last begins.
func (r *Rows) Line() int { return r.records.line }
