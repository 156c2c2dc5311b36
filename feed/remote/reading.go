package remote

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// The errors of an owner that does not perform a call.
var (
	errUnknownCall = errors.New("the owner does not know this kind of call; upgrade it")
	errBusy        = errors.New("the owner has reached its limit of calls from this gateway")
)

// meanings lists the errors that keep their meaning over a link, by number. Never reuse a number.
var meanings = []struct {
	code uint64
	err  error
}{
	{1, feed.ErrUnknown},
	{2, feed.ErrNotInTime},
	{3, feed.ErrStarting},
	{4, feed.ErrPartition},
	{5, feed.ErrClosed},
	{6, eventlog.ErrUnknownTenant},
	{7, feed.ErrNotHere},
	{8, feed.ErrUnserved},
	{9, feed.ErrCrowded},
	{10, errBusy},
}

// again reports whether the same call may soon have another answer.
func again(err error) bool {
	return errors.Is(err, feed.ErrStarting) || errors.Is(err, feed.ErrClosed) || errors.Is(err, feed.ErrNotHere) ||
		errors.Is(err, feed.ErrUnserved) || errors.Is(err, errBusy)
}

// otherCode is the code of an error that has only a text.
const otherCode = 100

func errorOut(err error) (code uint64, message string) {
	for _, c := range meanings {
		if errors.Is(err, c.err) {
			return c.code, err.Error()
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errorOut(feed.ErrNotInTime)
	}
	return otherCode, err.Error()
}

func errorIn(code uint64, message string) error {
	if code == 0 {
		return nil
	}
	for _, c := range meanings {
		if c.code == code {
			return told{message, c.err}
		}
	}
	return errors.New(message)
}

// told is an error with the owner's text.
type told struct {
	message string
	meaning error
}

func (t told) Error() string { return t.message }
func (t told) Unwrap() error { return t.meaning }

// The items of an answer, behind its code 0. With any other code the error's text follows.
const (
	itemReading    = 'r' // tenant, dashboard, update
	itemCounters   = 'n' // JSON
	itemLate       = 't' // JSON
	itemRefused    = 'x' // JSON
	itemDefinition = 'd' // canonical JSON, hash, revision, whether it is the default
	itemSummary    = 's' // of a listing
	itemRoom       = 'm' // whether the record would be the dashboard's first
)

func appendReading(b []byte, r *feed.Reading) ([]byte, error) {
	at := len(b)
	b = appendText(appendText(begin(b, itemReading), r.Key.Tenant), r.Key.Dashboard)
	b = end(appendUpdate(b, &r.Update, &schemaSeen{}, 0), at)
	for _, part := range []struct {
		what byte
		of   any
		have bool
	}{{itemCounters, r.Counters, true}, {itemLate, r.Late, r.Late != nil}, {itemRefused, r.Refused, r.Refused != nil}} {
		if !part.have {
			continue
		}
		text, err := json.Marshal(part.of)
		if err != nil {
			return nil, fmt.Errorf("reading of %s: %w", r.Key, err)
		}
		at := len(b)
		b = end(append(begin(b, part.what), text...), at)
	}
	return appendDefinition(b, r.Definition), nil
}

func readReading(all reader) (r feed.Reading, err error) {
	for what, body, ok := all.item(); ok; what, body, ok = all.item() {
		switch what {
		case itemReading:
			var u *feed.Update
			k := messages.Key{Tenant: body.text(), Dashboard: body.text()}
			if u, err = readUpdate(&body, k, &schemaSeen{}); err == nil {
				r.Update = *u
			}
		case itemCounters:
			err = json.Unmarshal(body.b, &r.Counters)
		case itemLate:
			err = json.Unmarshal(body.b, &r.Late)
		case itemRefused:
			err = json.Unmarshal(body.b, &r.Refused)
		case itemDefinition:
			r.Definition, err = readDefinition(body)
		}
		if err != nil {
			return r, fmt.Errorf("reading of %s: %w", r.Key, err)
		}
	}
	return r, all.err()
}

func appendDefinition(b []byte, d feed.DefinitionInForce) []byte {
	at := len(b)
	b = appendText(appendText(begin(b, itemDefinition), d.Canonical), d.Hash)
	return end(appendFlag(binary.AppendUvarint(b, d.Revision), d.Default), at)
}

func readDefinition(r reader) (d feed.DefinitionInForce, err error) {
	d = feed.DefinitionInForce{Canonical: append([]byte(nil), r.bytes()...), Hash: r.text(), Revision: r.uvarint(), Default: r.flag()}
	return d, r.err()
}

func appendSummary(b []byte, s feed.Summary) []byte {
	at := len(b)
	b = appendText(appendText(appendText(begin(b, itemSummary), s.Key.Tenant), s.Key.Dashboard), s.Title)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(s.Epoch)), s.Version)
	return end(appendFlag(binary.AppendUvarint(binary.AppendVarint(b, s.Time), uint64(s.Panels)), s.Scoped), at)
}

func readSummaries(all reader) (found []feed.Summary, err error) {
	for what, r, ok := all.item(); ok; what, r, ok = all.item() {
		if what != itemSummary {
			continue
		}
		found = append(found, feed.Summary{
			Key: messages.Key{Tenant: r.text(), Dashboard: r.text()}, Title: r.text(),
			Epoch: messages.Epoch(r.uvarint()), Version: r.uvarint(), Time: r.varint(), Panels: int(r.uvarint()), Scoped: r.flag(),
		})
		if r.failed {
			return nil, errItem
		}
	}
	return found, all.err()
}

// The kinds of call: the first byte of a call, followed by its fields.
const (
	// tenant, dashboard, epoch, since, lists, must exist, whether it waits for a position, that
	// position's partition, the position
	callRead    = 'r'
	callList    = 'l' // tenant, prefix, after, limit
	callDefault = 'd' // tenant, dashboard
	callRoom    = 'm' // tenant, dashboard, how many dashboards the tenant may have in a shard
)

func appendKey(b []byte, k messages.Key) []byte {
	return appendText(appendText(b, k.Tenant), k.Dashboard)
}

func appendQuery(b []byte, q feed.Query) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(q.Epoch)), q.Since)
	b = appendFlag(appendFlag(appendFlag(b, q.Lists), q.MustExist), q.After != nil)
	if q.After != nil {
		b = appendPosition(binary.AppendUvarint(b, uint64(q.After.Partition)), q.After.Position)
	}
	return b
}

func readQuery(r *reader) feed.Query {
	q := feed.Query{Epoch: messages.Epoch(r.uvarint()), Since: r.uvarint(), Lists: r.flag(), MustExist: r.flag()}
	if r.flag() {
		q.After = &feed.After{Partition: int(r.uvarint()), Position: readPosition(r)}
	}
	return q
}
