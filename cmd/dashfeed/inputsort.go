package main

import (
	"errors"
	"io"
	"slices"
)

// sortBytes bounds the size of the events that --sort holds.
const sortBytes = 512 << 20

// outgoingBytes is the size of an event beside its payload.
const outgoingBytes = 128

// sortedFormat returns a file's events in the order of their times. An event without time stays
// behind the one before it. It holds all events in memory.
type sortedFormat struct {
	format
	limit  int64
	events []outgoing
	held   int64
	full   bool // the file has been read
}

func (f *sortedFormat) begin(text io.Reader) error {
	f.events, f.held, f.full = nil, 0, false
	return f.format.begin(text)
}

func (f *sortedFormat) next() ([]outgoing, error) {
	for !f.full {
		events, err := f.format.next()
		if errors.Is(err, io.EOF) {
			f.full = true
			slices.SortStableFunc(f.events, func(a, b outgoing) int { return int(min(1, max(-1, a.ms-b.ms))) })
			break
		}
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if n := len(f.events); !e.timed && n > 0 {
				e.ms = f.events[n-1].ms
			}
			f.events = append(f.events, e)
			f.held += int64(len(e.payload)) + outgoingBytes
		}
		if f.held > f.limit {
			return nil, usage("--sort holds the events of a file in memory, at most %d MiB, and there are more: sort the file before, or publish it in parts", f.limit>>20)
		}
	}
	const some = 100
	n := min(some, len(f.events))
	if n == 0 {
		return nil, io.EOF
	}
	events := f.events[:n]
	f.events = f.events[n:]
	return events, nil
}
