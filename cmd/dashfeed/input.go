package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/dashfeed/dashfeed/client/csv"
	"github.com/dashfeed/dashfeed/messages/event"
)

// input is a file of events, read from its beginning as often as asked.
type input struct {
	name   string
	open   func() (io.ReadCloser, error) // nil: what is read can't be read again
	size   int64                         // bytes; -1: not known
	read   int64                         // bytes of this round
	sent   int                           // events given out in this round
	file   io.ReadCloser
	format format
}

// format makes events of a file's bytes.
type format interface {
	begin(r io.Reader) error            // a round; the first, and those after it
	next() ([]outgoing, error)          // io.EOF at the end of the round; *badInput costs one row
	span() (least, most int64, ok bool) // times of the first round so far, ms
	stats() made
	fresh() format // the same, before its first round
}

// outgoing is one event on its way.
type outgoing struct {
	payload []byte
	ms      int64 // event time, where timed
	timed   bool
}

// made counts rows that gave no event.
type made struct{ bad, null int }

// badInput is a row that can't be read; the next one can.
type badInput struct{ err error }

func (b *badInput) Error() string { return b.err.Error() }

// open opens the file by its format.
func (c *publishCommand) open(stdin io.Reader) (*input, error) {
	in := &input{name: c.File, size: -1}
	if c.File == "-" {
		in.file = io.NopCloser(stdin)
	} else {
		info, err := os.Stat(c.File)
		if err != nil {
			return nil, err
		}
		if in.size = info.Size(); info.Mode().IsRegular() {
			in.open = func() (io.ReadCloser, error) { return os.Open(c.File) }
		} else if in.file, err = os.Open(c.File); err != nil {
			return nil, err
		}
	}
	if in.open == nil && c.Loop {
		return nil, usage("%s can't be read again: --loop wants a file", c.File)
	}
	var err error
	if in.format, err = c.chooseFormat(); err != nil {
		return nil, err
	}
	return in, in.begin()
}

func (c *publishCommand) chooseFormat() (format, error) {
	name := strings.TrimSuffix(c.File, ".gz")
	if c.Format == "csv" || c.Format == "" && (strings.HasSuffix(name, ".csv") || len(c.Map) > 0 || c.MapFile != "") {
		return c.csvFormat()
	}
	return &ndjsonFormat{}, nil
}

func (c *publishCommand) csvFormat() (format, error) {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return nil, usage("time zone %q is not known: %w", c.TimeZone, err)
	}
	f := &csvFormat{options: csv.Options{File: c.File, TimeFormat: c.TimeFormat, Zone: zone, Null: strings.Split(c.Null, ",")}}
	if len(c.Map) > 0 {
		m, err := csv.ParseMapping(c.Map)
		if err != nil {
			return nil, usage("%w", err)
		}
		f.mappings = append(f.mappings, m)
	}
	if c.MapFile != "" {
		text, err := os.Open(c.MapFile)
		if err != nil {
			return nil, usage("%w", err)
		}
		defer text.Close()
		ms, err := csv.ReadMappings(c.MapFile, text)
		if err != nil {
			return nil, usage("%w", err)
		}
		f.mappings = append(f.mappings, ms...)
	}
	if len(f.mappings) == 0 {
		return nil, usage("%s is CSV: --map or --map-file says what its columns are, such as --map dashboard==sales --map metric==price --map value=price --map time=time", c.File)
	}
	return f, nil
}

// begin opens the file and begins a round.
func (in *input) begin() error {
	if in.open != nil {
		if in.file != nil {
			in.file.Close()
		}
		var err error
		if in.file, err = in.open(); err != nil {
			return err
		}
	}
	in.read, in.sent = 0, 0
	r, err := plain(&counter{in.file, &in.read})
	if err != nil {
		return fmt.Errorf("read %s: %w", in.name, err)
	}
	return in.format.begin(r)
}

// next are the events of the next row.
func (in *input) next() ([]outgoing, error) {
	events, err := in.format.next()
	in.sent += len(events)
	return events, err
}

// again begins another round, its times moved on.
func (in *input) again() error { return in.begin() }

// span reads the file once to know its first and last time; ok where it can be read again and has times.
func (in *input) span() (least, most int64, ok bool, err error) {
	if in.open == nil {
		return 0, 0, false, nil
	}
	scout := &input{name: in.name, open: in.open, format: in.format.fresh()}
	if err := scout.begin(); err != nil {
		return 0, 0, false, err
	}
	defer scout.Close()
	for {
		_, err := scout.next()
		var bad *badInput
		if errors.Is(err, io.EOF) {
			least, most, ok = scout.format.span()
			return least, most, ok, nil
		}
		if err != nil && !errors.As(err, &bad) {
			return 0, 0, false, err
		}
	}
}

func (in *input) stats() made { return in.format.stats() }

// Close closes the file.
func (in *input) Close() error {
	if in.file == nil {
		return nil
	}
	return in.file.Close()
}

// counter counts what is read.
type counter struct {
	io.Reader
	n *int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	*c.n += int64(n)
	return n, err
}

// plain unzips what is gzipped, by its first bytes.
func plain(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if head, _ := buffered.Peek(2); !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return buffered, nil
	}
	return gzip.NewReader(buffered)
}

// csvFormat is a CSV file with its mappings.
type csvFormat struct {
	options  csv.Options
	mappings []csv.Mapping
	rows     *csv.Rows
}

func (f *csvFormat) fresh() format { return &csvFormat{options: f.options, mappings: f.mappings} }

func (f *csvFormat) begin(r io.Reader) (err error) {
	if f.rows != nil {
		return f.rows.Again(r)
	}
	f.rows, err = csv.Open(r, f.mappings, f.options)
	return err
}

func (f *csvFormat) next() ([]outgoing, error) {
	events, err := f.rows.Next()
	var bad *csv.RowError
	if errors.As(err, &bad) {
		return nil, &badInput{err}
	}
	if err != nil {
		return nil, err
	}
	out := make([]outgoing, len(events))
	for i := range events {
		e := &events[i]
		out[i] = outgoing{event.AppendJSON(nil, e), e.Time, e.TimeStatus == event.OK}
	}
	return out, nil
}

func (f *csvFormat) span() (least, most int64, ok bool) { return f.rows.Span() }

func (f *csvFormat) stats() made { s := f.rows.Stats(); return made{s.Bad, s.Null} }

// ndjsonFormat is a file of events, a line each. In the first round lines go as they are; what is wrong with one is the
// server's to say.
type ndjsonFormat struct {
	lines       *bufio.Reader
	decoder     event.Decoder
	round       int
	least, most int64
	seen        bool
	period      int64 // ms
}

func (f *ndjsonFormat) fresh() format { return &ndjsonFormat{} }

func (f *ndjsonFormat) begin(r io.Reader) error {
	f.lines = bufio.NewReaderSize(r, 256<<10)
	f.round++
	const day = int64(24 * time.Hour / time.Millisecond)
	f.period = ((f.most-f.least)/day + 1) * day
	return nil
}

func (f *ndjsonFormat) next() ([]outgoing, error) {
	for {
		line, err := readLine(f.lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if len(line) > 0 {
			return []outgoing{f.outgoing(line)}, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// outgoing is the line, in a later round with its time moved on and its id suffixed.
func (f *ndjsonFormat) outgoing(line []byte) outgoing {
	var e event.Event
	if f.decoder.Decode(line, &e) != nil {
		return outgoing{payload: line}
	}
	timed := e.TimeStatus == event.OK
	if f.round == 1 {
		if timed {
			if !f.seen {
				f.least, f.most, f.seen = math.MaxInt64, math.MinInt64, true
			}
			f.least, f.most = min(f.least, e.Time), max(f.most, e.Time)
		}
		return outgoing{line, e.Time, timed}
	}
	if timed {
		e.Time += int64(f.round-1) * f.period
	}
	if e.ID != "" {
		e.ID += "#" + strconv.Itoa(f.round)
	}
	return outgoing{event.AppendJSON(nil, &e), e.Time, timed}
}

func (f *ndjsonFormat) span() (least, most int64, ok bool) { return f.least, f.most, f.seen }

func (f *ndjsonFormat) stats() made { return made{} }
