package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dashfeed/dashfeed/client/lines"
	"github.com/dashfeed/dashfeed/messages"
)

// input is a file of events that can be read from its beginning several times.
type input struct {
	name     string
	encoding string                        // of lines.Encodings
	open     func() (io.ReadCloser, error) // nil: the input can't be read again
	size     int64                         // bytes; -1: not known
	read     int64                         // bytes read in this round
	sent     int                           // events returned in this round
	file     io.ReadCloser
	format   format
}

// format decodes a file's text into events.
type format interface {
	begin(text io.Reader) error // begins a round; the first, and those after it
	// returns io.EOF at the end of the round; *badInput costs one row or value
	next() ([]outgoing, error)
	span() (least, most int64, ok bool) // the times of the first round so far, ms
	stats() made
	fresh() format // the same format before its first round
}

// outgoing is one event to send.
type outgoing struct {
	payload  []byte
	key      messages.Key
	line     int
	ms       int64 // event time, if timed
	timed    bool
	invented bool   // publish has made its id
	remark   string // what is probably wrong with the event; "" for most
}

// made counts rows that gave no event.
type made struct{ bad, null int }

// badInput is a row or value that can't be read. The next one can.
type badInput struct {
	reason string // why no door accepts the event; "": a row of CSV
	err    error
}

func (b *badInput) Error() string { return b.err.Error() }

// open opens the file by its format.
func (c *publishCommand) open(stdin io.Reader) (*input, error) {
	in := &input{name: c.File, encoding: strings.ToLower(c.Encoding), size: -1}
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
	text, err := lines.Open(&counter{in.file, &in.read}, in.encoding)
	if err != nil {
		return fmt.Errorf("read %s: %w", in.name, err)
	}
	return in.format.begin(text)
}

// next returns the events of the next row.
func (in *input) next() ([]outgoing, error) {
	events, err := in.format.next()
	in.sent += len(events)
	return events, err
}

// again begins another round, with its times moved on.
func (in *input) again() error { return in.begin() }

// span reads the file once to find its first and last time. ok is true if the file can be read
// again and has times.
func (in *input) span() (least, most int64, ok bool, err error) {
	if in.open == nil {
		return 0, 0, false, nil
	}
	scout := &input{name: in.name, encoding: in.encoding, open: in.open, format: in.format.fresh()}
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

// counter counts the bytes that are read.
type counter struct {
	io.Reader
	n *int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	*c.n += int64(n)
	return n, err
}
