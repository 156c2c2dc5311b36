// Package forward brings records home that lie elsewhere: in a partition that is not their
// dashboard's, or one that was added to a topic. A topic of somebody else is one more such place,
// with another Mapping.
//
//	err := forward.Run(ctx, source, mapping, forward.Home{Log: log, ...})
//
// Each entry bears the place where it was read, its origin, and its home folds it only where that
// lies beyond the last origin from there. So it does no harm that an entry comes twice, or that two
// forward the same; three promises make the rest exact:
//
//  1. Entries go to each home in the order in which they were read. An append whose outcome is not
//     known is repeated before the next begins.
//  2. A place is committed when all that was read up to it is stored, or is such that the log will
//     never take it. Whoever begins again begins there, and misses nothing.
//  3. What a message becomes depends on it alone.
package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// Source is a partition that is read from its committed place on, in order. One goroutine uses it.
type Source[M any] interface {
	// Next waits until the place that can be committed has moved, and gives the messages up to there:
	// perhaps none. They are good until the next call. io.EOF where no more will come.
	Next(ctx context.Context) ([]M, error)
	// Commit says that all that Next gave is home.
	Commit(ctx context.Context) error
}

// Mapping appends what a message becomes, which may be nothing. It keeps nothing of the message.
type Mapping[M any] func(all []eventlog.Entry, m *M) []eventlog.Entry

// What one append takes, but for one message's.
const (
	AtOnce      = 512
	BytesAtOnce = 1 << 20 // of payloads
)

// Run forwards until the source has no more, which is no error, or ctx ends.
func Run[M any](ctx context.Context, from Source[M], mapping Mapping[M], home Home) error {
	for {
		all, err := from.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var entries []eventlog.Entry
		bytes := 0
		for i := range all {
			n := len(entries)
			entries = mapping(entries, &all[i])
			for _, e := range entries[n:] {
				bytes += len(e.Payload)
			}
			if i < len(all)-1 && len(entries) < AtOnce && bytes < BytesAtOnce {
				continue
			}
			if err := home.Append(ctx, entries); err != nil {
				return err
			}
			entries, bytes = entries[:0], 0
		}
		if err := from.Commit(ctx); err != nil {
			return err
		}
	}
}

// Goes reports whether a record of one of our partitions is some dashboard's event or definition
// that was not forwarded before: else two who disagree about its home would throw it to and fro.
func Goes(r *messages.Record) bool {
	return r.Refused == "" && r.Key.Dashboard != "" && r.Kind != messages.KindTick && r.Origin.Position.IsZero()
}

// Entry brings a record home from one of our partitions. Home passes over what is not beyond the
// last origin, and can't ask whether one is there: it is, since the record was read there.
func Entry(r *messages.Record, partition int) eventlog.Entry {
	return eventlog.Entry{
		Kind:    r.Kind,
		Key:     messages.Key{Tenant: strings.Clone(r.Key.Tenant), Dashboard: strings.Clone(r.Key.Dashboard)},
		Origin:  messages.Origin{Partition: partition, Position: r.Position},
		Payload: bytes.Clone(r.Payload),

		EventTime: r.EventTime,
	}
}
