package pulsar

import (
	"context"

	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
)

// enterFunc begins to read a partition's entries at that entry; below 0, at the oldest one.
type enterFunc func(ctx context.Context, ledger, entry int64) (entrance, error)

// assemble takes the next chunk, in the order of entries. It returns the entry that holds the
// message if the message ends with this chunk. If the message may have begun before reading did, it
// reads the entries before: the result must not depend on where reading began.
func (l *Log) assemble(ctx context.Context, chunks *entries.Assembler, e *entries.Entry, enter enterFunc) (*entries.Entry, error) {
	switch chunks.Take(e) {
	case entries.Part:
		return nil, nil
	case entries.Whole:
		return e, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errTimeout)
	defer cancel()
	begin, oldest, err := enter.before(ctx, e, entries.MaxSpan)
	if err != nil {
		return nil, err
	}
	from, err := enter(ctx, begin.ledger, begin.entry)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	// Reassemble all open messages at once: others end behind this one, and need not be read again.
	all := entries.AssembleFrom(begin.ledger, begin.entry, oldest)
	own := all
	for {
		x, err := from.Next(ctx)
		if err != nil {
			return nil, unreachable(err)
		}
		if x.Ledger > e.Ledger || x.Ledger == e.Ledger && x.Entry > e.Entry {
			e.Refuse(entries.Incomplete)
			return e, nil
		}
		all.See(x)
		own.See(x)
		switch {
		case x.SameMessage(e):
			state := own.Take(x)
			if x.Ledger != e.Ledger || x.Entry != e.Entry {
				continue
			}
			*chunks = all
			if state == entries.Whole {
				return x, nil
			}
			e.Refuse(entries.Incomplete)
			return e, nil
		case x.Chunked():
			all.Take(x)
		}
	}
}

// before returns the entry that is count entries before e, or the oldest one if there are fewer.
// Entries are numbered within their ledger only, so at its beginning the ledger before is needed,
// and only the broker knows that.
func (enter enterFunc) before(ctx context.Context, e *entries.Entry, count int64) (at place, oldest bool, err error) {
	at = place{ledger: e.Ledger, entry: e.Entry}
	for at.entry < count {
		count -= at.entry + 1
		last, err := enter.lastBefore(ctx, at.ledger)
		if err != nil {
			return at, false, err
		}
		if last.ledger < 0 {
			return place{ledger: at.ledger}, true, nil
		}
		at = last
	}
	at.entry -= count
	return at, false, nil
}

// lastBefore returns the last entry before a ledger; its ledger is below 0 if there is none. The
// broker answers a place that does not exist with the next one that does. So a binary search finds
// the entry, without rights at the admin API: some 20 requests for the ledger, 30 for the entry.
func (enter enterFunc) lastBefore(ctx context.Context, ledger int64) (place, error) {
	found, err := enter.first(ctx, -1, -1)
	if err != nil || found.ledger >= ledger {
		return place{ledger: -1}, err
	}
	for beyond := ledger; beyond-found.ledger > 1; {
		half := found.ledger + (beyond-found.ledger)/2
		at, err := enter.first(ctx, half, 0)
		switch {
		case err != nil:
			return at, err
		case at.ledger < ledger:
			found = at
		default:
			beyond = half
		}
	}
	for step, grows := int64(1), true; step > 0; {
		at, err := enter.first(ctx, found.ledger, found.entry+step)
		if err != nil {
			return at, err
		}
		if at.ledger == found.ledger {
			found = at
		} else {
			grows = false
		}
		if grows {
			step *= 2
		} else {
			step /= 2
		}
	}
	return found, nil
}

// first returns the place of the first entry from there on.
func (enter enterFunc) first(ctx context.Context, ledger, entry int64) (place, error) {
	from, err := enter(ctx, ledger, entry)
	if err != nil {
		return place{}, err
	}
	defer from.Close()
	e, err := from.Next(ctx)
	if err != nil {
		return place{}, unreachable(err)
	}
	return place{ledger: e.Ledger, entry: e.Entry}, nil
}
