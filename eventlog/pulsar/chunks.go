package pulsar

import (
	"context"

	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
)

// enterFunc begins to read a partition's entries at that one; below 0, at the oldest.
type enterFunc func(ctx context.Context, ledger, entry int64) (entrance, error)

// assemble takes a chunk, in the order of entries. It gives the entry that holds its message, if
// the message ends there. Where it may have begun before the reading did, what lies in front is
// looked up: what it is must not depend on that.
func (l *Log) assemble(ctx context.Context, chunks *entries.Assembler, e *entries.Entry, enter enterFunc) (*entries.Entry, error) {
	switch chunks.Take(e) {
	case entries.Part:
		return nil, nil
	case entries.Whole:
		return e, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errPatience)
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
	// All of them at once: others end behind this one, and none shall be looked up again.
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

// before is the entry that lies so many in front of e, or the oldest one where there are fewer.
// Numbers of entries run within a ledger only, so at its beginning the ledger before is needed,
// which only the broker knows.
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

// lastBefore is the last entry in front of a ledger that has some; its ledger is below 0 where
// there is none. The broker goes from a place that does not exist to the next that does, so halving
// finds it, without rights at the admin API: some 20 questions for the ledger, 30 for the entry.
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

// first is where the first entry from there on lies.
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
