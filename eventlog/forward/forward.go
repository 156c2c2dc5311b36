// Package forward moves records to their home partition: from a partition that is not their
// dashboard's home, or from one that was added to a topic. It can read another system's topic, too,
// with another Mapping.
//
//	err := forward.Run(ctx, source, mapping, forward.Home{Log: log, ...})
//
// Each entry names its origin, the place where it was read, and its home folds it only if that is
// beyond the last origin from there. So an entry may be stored twice, or forwarded by two
// processes. Three promises make the result exact:
//
//  1. Entries go to each home in the order in which they were read. An append whose outcome is
//     unknown is repeated before the next one begins.
//  2. A place is committed when everything that was read up to it is stored, or is such that the
//     log will never accept it. A process that begins again begins there, and misses nothing.
//  3. What a message becomes depends only on the message.
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

// Source reads a partition in order, from its committed place on. One goroutine uses it.
type Source[M any] interface {
	// Next waits until the place that can be committed has moved, and returns the messages up to
	// there, which may be none. They are valid until the next call. It returns io.EOF if no more will
	// come.
	Next(ctx context.Context) ([]M, error)
	// Commit says that everything that Next returned is stored or refused for good.
	Commit(ctx context.Context) error
}

// Mapping appends the entries that a message becomes, which may be none. It must not keep any part
// of the message.
type Mapping[M any] func(all []eventlog.Entry, m *M) []eventlog.Entry

// The bounds of one append, which the entries of one message may exceed.
const (
	AtOnce      = 512
	BytesAtOnce = 1 << 20 // of payloads
)

// Run forwards until the source ends, which is no error, or ctx ends.
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

// Goes reports whether to forward a record of one of our partitions: an event or definition of a
// dashboard that was not forwarded before. Without that rule, two processes that disagree about its
// home would forward it back and forth.
func Goes(r *messages.Record) bool {
	return r.Refused == "" && r.Key.Dashboard != "" && r.Kind != messages.KindTick && r.Origin.Position.IsZero()
}

// Entry returns the entry that forwards a record from one of our partitions. Its origin holds the
// record's position, since its home skips every entry that is not beyond the last origin.
func Entry(r *messages.Record, partition int) eventlog.Entry {
	return eventlog.Entry{
		Kind:    r.Kind,
		Key:     messages.Key{Tenant: strings.Clone(r.Key.Tenant), Dashboard: strings.Clone(r.Key.Dashboard)},
		Origin:  messages.Origin{Partition: partition, Position: r.Position},
		Payload: bytes.Clone(r.Payload),

		EventTime: r.EventTime,
	}
}
