package pulsar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
)

const (
	calmAfter = 64              // messages in a row that the client would have given end a look
	lullAfter = 5 * time.Second // so does nothing that comes for so long: where one such message came, more may
)

// look is a checker's reading of the entries themselves.
type look struct {
	from   entrance
	target place // it goes on to there at least
	sure   bool  // the target was given by the client: it will come
	begun  bool  // the entry that it began at has come
	past   bool  // the target has come
	calm   int   // messages since the last one that the client does not give
	given  int   // messages that the client kept to itself
	seen   place // the last entry

	chunks  entries.Assembler
	waiting []found // of the last entry
}

// beginLook begins a look at what lies behind the last message, up to the target or further.
func (c *checker) beginLook(ctx context.Context, target place, sure bool) error {
	c.endLook()
	stand, from := c.stand(), place{ledger: -1}
	if !stand.IsZero() {
		from = placeAt(stand)
	}
	entering, err := c.enter(ctx, from.ledger, from.entry)
	if err != nil {
		return err
	}
	c.look = &look{from: entering, target: target, sure: sure}
	return nil
}

func (c *checker) endLook() {
	if c.look != nil {
		c.look.from.Close()
		c.look = nil
	}
}

// closely is the next message of a look; none where it has ended, begun anew, or passed its target without a message.
func (c *checker) closely(ctx context.Context) (received, error) {
	k := c.look
	for len(k.waiting) == 0 {
		if k.past && k.calm >= calmAfter {
			return nil, c.leave(ctx)
		}
		e, err := c.nextEntry(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, errLull), err != nil && k.past:
			return nil, c.leave(ctx)
		case errors.Is(err, errPatience), err != nil && k.begun:
			c.l.logger.Warn("a look at a partition's entries broke off, it begins again", "topic", c.p.topic, "error", err)
			eventlog.Pause(ctx, 2*broker.LeastWait)
			return nil, c.beginLook(ctx, k.target, k.sure)
		case err != nil:
			return nil, unreachable(err)
		}
		if err := c.unfold(ctx, e); err != nil {
			return nil, err
		}
		if len(k.waiting) == 0 && k.past && k.seen.last().After(c.stand()) {
			c.passed = k.seen.last()
			return nil, nil
		}
	}
	f := k.waiting[0]
	k.waiting = k.waiting[1:]
	at := place{f.e.Ledger, f.e.Entry, f.m.Batch}
	c.take(at, f.m.Index)
	if at.last() == c.after {
		return nil, nil
	}
	return f, nil
}

var errLull = errors.New("no entry comes")

// nextEntry waits for the next entry as long as one must come.
func (c *checker) nextEntry(ctx context.Context) (*entries.Entry, error) {
	k := c.look
	wait, why := c.l.config.Timeout, errPatience
	switch {
	case k.past:
		wait, why = lullAfter, errLull
	case !k.sure:
		wait, why = patience, errLull
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, why)
	defer cancel()
	return k.from.Next(ctx)
}

// unfold has the entry's messages wait, as far as they are wanted.
func (c *checker) unfold(ctx context.Context, e *entries.Entry) error {
	k := c.look
	if !k.begun {
		if err := c.begins(e); err != nil {
			return err
		}
		k.begun = true
	}
	k.seen = place{e.Ledger, e.Entry, anywhere}
	k.past = k.past || k.seen.compare(k.target) >= 0
	if e.Odd() {
		k.calm = 0
	}
	if e.Chunked() && c.wants(place{e.Ledger, e.Entry, 0}) {
		var err error
		if e, err = c.assemble(ctx, e); e == nil || err != nil {
			return err
		}
	}
	all := e.Messages()
	for i := range all {
		at := place{e.Ledger, e.Entry, all[i].Batch}
		if !c.wants(at) {
			continue
		}
		if all[i].Index == nil && c.p.tenant.LogTime != TickTime {
			return fmt.Errorf("%w: the record at %s of %s has no index: %s", eventlog.ErrUnstamped, at.last(), c.p.topic, neededSettings)
		}
		k.waiting = append(k.waiting, found{e, &all[i]})
		k.calm++
		if at.compare(k.target) < 0 || e.Odd() {
			k.given++
		}
	}
	return nil
}

// begins tells whether the first entry of a look is the one it must be. From the beginning on it must be the first one ever: a ledger
// goes as a whole, and every entry of one has a number or more, so that number N is not at place N where ledgers are gone.
func (c *checker) begins(e *entries.Entry) error {
	got := place{ledger: e.Ledger, entry: e.Entry}
	if stand := c.stand(); !stand.IsZero() {
		if wanted := placeAt(stand); wanted.ledger != got.ledger || wanted.entry != got.entry {
			c.l.metrics.holes.WithLabelValues(string(foundLoss)).Inc()
			return c.trimmed(wanted, got)
		}
		return nil
	}
	if c.remnant || e.Index == nil {
		return nil
	}
	if first := *e.Index - uint64(e.Count()-1); first != 0 && first != uint64(e.Entry) {
		return fmt.Errorf("%w: the oldest record kept, at %s, is number %d: those before are gone", eventlog.ErrTrimmed, got.last(), first)
	}
	return nil
}

// assemble takes a chunk. It gives the entry that holds its message, if the message ends there.
func (c *checker) assemble(ctx context.Context, e *entries.Entry) (*entries.Entry, error) {
	switch c.look.chunks.Take(e) {
	case entries.Part:
		return nil, nil
	case entries.Whole:
		return e, nil
	}
	// It began before the look did. What it is must not depend on that.
	ctx, cancel := context.WithTimeoutCause(ctx, c.l.config.Timeout, errPatience)
	defer cancel()
	from, err := c.enter(ctx, e.Ledger, max(0, e.Entry-entries.MaxSpan))
	if err != nil {
		return nil, err
	}
	defer from.Close()
	var chunks entries.Assembler
	for {
		x, err := from.Next(ctx)
		if err != nil {
			return nil, unreachable(err)
		}
		if x.Ledger > e.Ledger || x.Ledger == e.Ledger && x.Entry > e.Entry {
			break
		}
		state := entries.Part
		if x.SameMessage(e) {
			state = chunks.Take(x)
		}
		if x.Ledger == e.Ledger && x.Entry == e.Entry {
			if state == entries.Whole {
				return x, nil
			}
			break
		}
	}
	e.Refuse(entries.Incomplete)
	return e, nil
}

// finding is what a look found.
type finding string

const (
	foundMarker finding = "marker" // nothing is missing: the broker numbered something of its own
	foundRecord finding = "record" // messages that the client kept to itself
	foundLoss   finding = "loss"   // the record before is gone as well: so are those that are missing
)

// leave ends a look. The client goes on behind it, anew: it may wait for what the broker does not owe it, and give again what
// makes no message, such as a chunk that is encrypted.
func (c *checker) leave(ctx context.Context) error {
	k := c.look
	c.endLook()
	f := foundMarker
	if k.given > 0 {
		f = foundRecord
	}
	c.l.metrics.holes.WithLabelValues(string(f)).Inc()
	if !k.sure && k.given == 0 {
		c.vain = vain{k.target.last(), time.Now()}
	}
	c.l.logger.Debug("a partition's entries were looked at", "topic", c.p.topic, "up_to", c.stand(), "found", string(f), "messages", k.given)
	if !k.begun {
		return c.openAgain(ctx, c.stand())
	}
	return c.openAgain(ctx, place{k.seen.ledger, k.seen.entry + 1, 0}.last())
}

// enter begins to read entries at that one. Right after a broker's start that may fail for some 100 ms: it is tried until ctx ends.
func (l *Log) enter(ctx context.Context, p *partition, ledger, entry int64) (entrance, error) {
	const notFound, notAuthorized, notAuthenticated = 11, 4, 3
	for {
		r, err := l.enterOnce(ctx, p, ledger, entry)
		if err == nil {
			return r, nil
		}
		var said *entries.BrokerError
		if errors.As(err, &said) && said.Code == notFound {
			return nil, l.explain("open "+p.topic, fmt.Errorf("%w: %w", errMissing, err))
		}
		if errors.As(err, &said) && (said.Code == notAuthorized || said.Code == notAuthenticated) {
			return nil, l.explain("open "+p.topic, err)
		}
		if !eventlog.Pause(ctx, 2*broker.LeastWait) {
			return nil, l.explain("open "+p.topic, unreachable(err))
		}
		l.logger.Debug("a partition's entries can't be looked at, trying again", "topic", p.topic, "error", err)
	}
}

func (l *Log) enterOnce(ctx context.Context, p *partition, ledger, entry int64) (entrance, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errPatience)
	defer cancel()
	r, err := entries.Open(ctx, entries.Options{URL: l.config.BrokerURL, Security: l.config.Security}, p.topic, ledger, entry)
	if err != nil {
		return nil, err
	}
	return r, nil
}
