package forward

import (
	"context"
	"errors"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
)

// Home is the log that stores what is forwarded, and the callbacks that report it.
type Home struct {
	Log     eventlog.Appender
	Stored  func(n int)                         // n more entries are stored
	Refused func(e eventlog.Entry, err error)   // the log will never accept the entry: it is left out
	Again   func(err error, wait time.Duration) // the rest is tried again after the wait
}

// Append appends entries, those of one partition in order, until all are stored, or ctx ends, whose
// error it returns. An entry that the log will never accept does not hold up the others of its
// call. If the log can't say whether it stored an entry, Append appends it again: the meaning of an
// entry must not change if it is stored twice.
func (h *Home) Append(ctx context.Context, entries []eventlog.Entry) error {
	const least, most = 50 * time.Millisecond, 5 * time.Second
	if len(entries) == 0 {
		return nil
	}
	for wait := least; ; wait = min(2*wait, most) {
		receipts, err := h.Log.Append(ctx, entries)
		if err == nil {
			h.Stored(len(entries))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var left []eventlog.Entry
		for i := range receipts {
			if receipts[i].Position.IsZero() {
				left = append(left, entries[i])
			}
		}
		if len(receipts) > 0 {
			h.Stored(len(entries) - len(left))
			entries = left
		}
		switch {
		case len(entries) == 0:
			return nil
		case neverTaken(err) && len(entries) > 1:
			// it is one of them: halve the entries to find it, which keeps the order
			half := len(entries) / 2
			if err := h.Append(ctx, entries[:half]); err != nil {
				return err
			}
			return h.Append(ctx, entries[half:])
		case neverTaken(err):
			h.Refused(entries[0], err)
			return nil
		}
		h.Again(err, wait)
		if !eventlog.Pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// neverTaken reports whether the log will refuse the record however often it is appended.
func neverTaken(err error) bool {
	return errors.Is(err, eventlog.ErrTooLarge) || errors.Is(err, eventlog.ErrUnknownTenant) || errors.Is(err, eventlog.ErrRefused)
}
