package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/client/csv"
	"github.com/dashfeed/dashfeed/client/lines"
	"github.com/dashfeed/dashfeed/client/ndjson"
	"github.com/dashfeed/dashfeed/messages/event"
)

// ndjsonFormat reads events as JSON: one per line, in arrays, or one after another. In the first
// round they go unchanged, except that those without an id get one.
type ndjsonFormat struct {
	options     csv.Options // how to read times
	ids         string      // the beginning of the ids for events without one
	route       event.Route
	lines       *lines.Reader
	values      *ndjson.Reader
	decoder     event.Decoder
	round       int
	least, most int64
	seen        bool
	period      int64 // ms
}

func (f *ndjsonFormat) fresh() format {
	return &ndjsonFormat{options: f.options, ids: f.ids, route: f.route}
}

func (f *ndjsonFormat) begin(text io.Reader) error {
	f.lines = lines.New(text)
	f.values = ndjson.New(f.lines)
	f.round++
	const day = int64(24 * time.Hour / time.Millisecond)
	f.period = ((f.most-f.least)/day + 1) * day
	return nil
}

func (f *ndjsonFormat) next() ([]outgoing, error) {
	v, err := f.values.Next()
	var bad *ndjson.BadValue
	switch {
	case errors.As(err, &bad):
		return nil, refusedAt(f.options.File, bad.Line, &event.Refusal{Reason: bad.Reason, Message: err.Error()})
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("%s:%d: %w", f.options.File, f.lines.Number(), err)
	}
	o, err := f.outgoing(v)
	if err != nil {
		return nil, refusedAt(f.options.File, v.Line, err)
	}
	return []outgoing{o}, nil
}

// outgoing returns the event of a value. In a later round its time is moved on and its id gets a
// suffix.
func (f *ndjsonFormat) outgoing(v ndjson.Value) (outgoing, error) {
	var e event.Event
	err := f.decoder.Decode(v.Text, &e)
	if wrong := lines.Check(v.Text); wrong != nil {
		return outgoing{}, &event.Refusal{Reason: event.ReasonMalformed, Message: wrong.Error()}
	}
	if err != nil {
		return outgoing{}, err
	}
	payload := bytes.Clone(v.Text)
	if f.options.TimeFormat != "" || f.options.Zone != nil {
		if err := f.readTime(v.Text, &e); err != nil {
			return outgoing{}, err
		}
		payload = event.AppendJSON(nil, &e)
	}
	named := e.ID != ""
	if !named {
		e.ID = f.ids + csv.Token(v.Sum, payload)
	}
	switch {
	case f.round > 1:
		if e.TimeStatus == event.OK {
			e.Time += int64(f.round-1) * f.period
		}
		e.ID += "#" + strconv.Itoa(f.round)
		payload = event.AppendJSON(nil, &e)
	case !named:
		payload = client.WithID(payload, e.ID)
	}
	f.note(&e)
	o, err := describe(f.route, &e)
	o.payload, o.line = payload, v.Line
	return o, err
}

// note remembers the times of the first round.
func (f *ndjsonFormat) note(e *event.Event) {
	if f.round > 1 || e.TimeStatus != event.OK {
		return
	}
	if !f.seen {
		f.least, f.most, f.seen = math.MaxInt64, math.MinInt64, true
	}
	f.least, f.most = min(f.least, e.Time), max(f.most, e.Time)
}

// readTime reads the event's time as the flags say.
func (f *ndjsonFormat) readTime(text []byte, e *event.Event) error {
	if e.TimeStatus == event.Missing {
		return nil
	}
	var given struct {
		Time      json.RawMessage `json:"time"`
		Timestamp json.RawMessage `json:"timestamp"`
		Ts        json.RawMessage `json:"ts"`
	}
	if err := json.Unmarshal(text, &given); err != nil {
		return err
	}
	raw := given.Time
	for _, other := range []json.RawMessage{given.Timestamp, given.Ts} {
		if raw == nil {
			raw = other
		}
	}
	written := string(raw)
	if len(raw) > 0 && raw[0] == '"' {
		if err := json.Unmarshal(raw, &written); err != nil {
			return err
		}
	}
	ms, err := f.options.ParseTime(written)
	if err != nil {
		return err
	}
	e.Time, e.TimeStatus, e.TimeHint = ms, event.OK, event.LikelyUnit(ms)
	return nil
}

func (f *ndjsonFormat) span() (least, most int64, ok bool) { return f.least, f.most, f.seen }

func (f *ndjsonFormat) stats() made { return made{} }
