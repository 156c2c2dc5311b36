package main

import (
	"errors"
	"io"

	"github.com/dashfeed/dashfeed/client/csv"
	"github.com/dashfeed/dashfeed/messages/event"
)

// csvFormat is a CSV file with its mappings.
type csvFormat struct {
	options  csv.Options
	mappings []csv.Mapping
	route    event.Route
	rows     *csv.Rows
	refused  error // of the row returned last
}

func (f *csvFormat) fresh() format {
	return &csvFormat{options: f.options, mappings: f.mappings, route: f.route}
}

func (f *csvFormat) begin(text io.Reader) (err error) {
	if f.rows != nil {
		return f.rows.Again(text)
	}
	f.rows, err = csv.Open(text, f.mappings, f.options)
	return err
}

func (f *csvFormat) next() ([]outgoing, error) {
	if err := f.refused; err != nil {
		f.refused = nil
		return nil, err
	}
	events, err := f.rows.Next()
	var bad *csv.RowError
	if errors.As(err, &bad) {
		return nil, &badInput{"", err}
	}
	if err != nil {
		return nil, err
	}
	out := make([]outgoing, 0, len(events))
	for i := range events {
		o, err := describe(f.route, &events[i])
		if err != nil {
			f.refused = refusedAt(f.options.File, f.rows.Line(), err)
			continue
		}
		o.payload, o.line = event.AppendJSON(nil, &events[i]), f.rows.Line()
		out = append(out, o)
	}
	return out, nil
}

func (f *csvFormat) span() (least, most int64, ok bool) { return f.rows.Span() }

func (f *csvFormat) stats() made { s := f.rows.Stats(); return made{s.Bad, s.Null} }
