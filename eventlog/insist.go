package eventlog

import (
	"context"
	"errors"
	"time"
)

// Insistence is what Insist tells while it goes on.
type Insistence struct {
	Stored  func(n int)                         // so many more entries are stored
	Refused func(e Entry, err error)            // the log will never take it: it is left out
	Again   func(err error, wait time.Duration) // the rest is tried again after the wait
}

// Insist appends entries, those of one partition in order, until all are stored, or ctx ends, whose
// error it returns. One that the log will never take does not hold up those that came with it. An
// entry of which the log can't say whether it was stored is appended again: what the entries mean
// must not change by coming twice.
func Insist(ctx context.Context, log Appender, entries []Entry, tell Insistence) error {
	const least, most = 50 * time.Millisecond, 5 * time.Second
	for wait := least; ; wait = min(2*wait, most) {
		receipts, err := log.Append(ctx, entries)
		if err == nil {
			tell.Stored(len(entries))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var left []Entry
		for i := range receipts {
			if receipts[i].Position.IsZero() {
				left = append(left, entries[i])
			}
		}
		if len(receipts) > 0 {
			tell.Stored(len(entries) - len(left))
			entries = left
		}
		switch {
		case len(entries) == 0:
			return nil
		case neverTaken(err) && len(entries) > 1:
			// one of them: it is found by halves, which keep the order
			half := len(entries) / 2
			if err := Insist(ctx, log, entries[:half], tell); err != nil {
				return err
			}
			return Insist(ctx, log, entries[half:], tell)
		case neverTaken(err):
			tell.Refused(entries[0], err)
			return nil
		}
		tell.Again(err, wait)
		if !Pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// Pause waits before something is tried again; false where ctx has ended first.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// neverTaken reports whether the log will refuse a record as often as it is asked.
func neverTaken(err error) bool {
	return errors.Is(err, ErrTooLarge) || errors.Is(err, ErrUnknownTenant) || errors.Is(err, ErrRefused)
}
