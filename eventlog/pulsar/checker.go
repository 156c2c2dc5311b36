package pulsar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
	"github.com/dashfeed/dashfeed/messages"
)

// checker gives the messages of a partition in order, each once, without a hole, and none depends
// on what was read before. The broker goes from an entry to one far behind, without a word, where
// the ledgers between are gone, and where it keeps to itself what lies between. It drops ledgers as
// a whole and the oldest first, so that nothing is gone between two entries of one ledger, nor
// behind one that is still there.
type checker struct {
	l       *Log
	p       *partition
	enter   enterFunc
	decoder *decoder

	after   messages.Position // given to the reader: what comes after it is wanted
	at      place             // of the last message
	started bool              // at is known
	remnant bool              // what came before the oldest record kept is not asked for
	passed  messages.Position // entries were read up to there that hold no message behind the last one

	from   entrance // nil: it broke off
	seen   *entries.Entry
	chunks entries.Assembler

	all  []received // of an entry
	each []entries.Message
}

// entrance gives a partition's entries.
type entrance interface {
	Next(ctx context.Context) (*entries.Entry, error)
	Close()
}

func newChecker(l *Log, p *partition, after messages.Position) *checker {
	return &checker{
		l: l, p: p, decoder: newDecoder(l, p), after: after,
		enter: func(ctx context.Context, ledger, entry int64) (entrance, error) {
			return l.enter(ctx, p, ledger, entry)
		},
	}
}

func (c *checker) close() {
	c.decoder.close()
	c.leave()
}

func (c *checker) leave() {
	if c.from != nil {
		c.from.Close()
		c.from = nil
	}
}

// open begins to read at the entry of the last message.
func (c *checker) open(ctx context.Context) (err error) {
	from := place{ledger: -1}
	if stand := c.stand(); !stand.IsZero() {
		from = placeAt(stand)
	}
	c.seen = nil
	c.from, err = c.enter(ctx, from.ledger, from.entry)
	return err
}

// stand is the position behind which the next message lies.
func (c *checker) stand() messages.Position {
	if c.started {
		return c.at.last()
	}
	return c.after
}

// next is the messages of the next entry that has some after c.after. None, without an error, says
// that entries up to c.passed hold none behind the last one.
func (c *checker) next(ctx context.Context) ([]received, error) {
	for {
		e, err := c.entry(ctx)
		if err == nil {
			err = c.follows(ctx, e)
		}
		if err == nil && e.Chunked() && c.wants(lastOf(e)) {
			e, err = c.l.assemble(ctx, &c.chunks, e, c.enter)
		}
		if err != nil {
			return nil, err
		}
		if e != nil {
			if all := c.unfold(e); len(all) > 0 {
				return all, nil
			}
		}
		if here := lastOf(c.seen).last(); here.After(c.stand()) {
			c.passed = here
			return nil, nil
		}
	}
}

// entry is the next entry. What breaks off is begun again, whatever the broker says meanwhile: one
// that starts, or whose tokens change, lets us in again later. Only a topic that is gone is an
// error.
func (c *checker) entry(ctx context.Context) (*entries.Entry, error) {
	const refused = time.Second
	warn := c.l.logger.Warn
	for {
		if c.from == nil {
			err := c.open(ctx)
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case errors.Is(err, errMissing):
				return nil, err
			case err != nil:
				warn("a partition can't be read, it is tried again", "topic", c.p.topic, "error", err)
				warn = c.l.logger.Debug // it is said once
				eventlog.Pause(ctx, refused)
				continue
			}
		}
		e, err := c.from.Next(ctx)
		if err == nil {
			return e, nil
		}
		c.leave()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		c.l.metrics.reopened.WithLabelValues("reader").Inc()
		c.l.logger.Warn("reading a partition broke off, it begins again", "topic", c.p.topic, "error", err)
		eventlog.Pause(ctx, broker.LeastWait)
	}
}

// follows tells whether nothing can be missing in front of the entry.
func (c *checker) follows(ctx context.Context, e *entries.Entry) error {
	before := c.seen
	c.seen = e
	if before == nil {
		c.chunks = entries.AssembleFrom(e.Ledger, e.Entry, c.stand().IsZero())
	}
	c.chunks.See(e)
	switch {
	case before == nil:
		return c.begins(e)
	case before.Ledger == e.Ledger:
		return nil
	case e.Index != nil && before.Index != nil && e.FirstIndex() == *before.Index+1:
		return nil
	}
	if err := c.isThere(ctx, before); err != nil {
		return c.lost(err)
	}
	c.l.metrics.holes.WithLabelValues("marker").Inc()
	return nil
}

func (c *checker) lost(err error) error {
	if errors.Is(err, eventlog.ErrTrimmed) {
		c.l.metrics.holes.WithLabelValues("loss").Inc()
	}
	return err
}

// begins tells whether the first entry is the one it must be. From the beginning on it must be the
// first one ever: a ledger goes as a whole, and every entry of one has a number or more (a batch
// inside a transaction has one), so that where ledgers are gone number N is in front of place N.
func (c *checker) begins(e *entries.Entry) error {
	got := place{ledger: e.Ledger, entry: e.Entry}
	if stand := c.stand(); !stand.IsZero() {
		if wanted := placeAt(stand); wanted.ledger != got.ledger || wanted.entry != got.entry {
			return c.lost(trimmed(wanted, got))
		}
		return nil
	}
	if c.remnant || e.Index == nil {
		return nil
	}
	first := int64(e.FirstIndex())
	if first <= e.Entry {
		return nil
	}
	return c.lost(fmt.Errorf("%w: the oldest record kept, at %s, is number %d: those before are gone", eventlog.ErrTrimmed, got.last(), first))
}

// isThere tells whether the broker still has an entry. Then all that came behind it is there, too.
func (c *checker) isThere(ctx context.Context, e *entries.Entry) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.l.config.Timeout, errPatience)
	defer cancel()
	wanted := place{ledger: e.Ledger, entry: e.Entry}
	first, err := c.enter.first(ctx, wanted.ledger, wanted.entry)
	if err == nil && first != wanted {
		err = trimmed(wanted, first)
	}
	return err
}

func trimmed(wanted, got place) error {
	return fmt.Errorf("%w: the record at %s is gone, the next one kept is at %s", eventlog.ErrTrimmed, wanted.last(), got.last())
}

// unfold gives the entry's messages, as far as they are wanted.
func (c *checker) unfold(e *entries.Entry) []received {
	if !c.wants(lastOf(e)) {
		return nil
	}
	c.each = e.Messages(c.each[:0])
	c.all = c.all[:0]
	for i := range c.each {
		m := received{&c.each[i], e}
		at := m.at()
		if !c.wants(at) {
			continue
		}
		// else the position's own, which holds nothing after it
		if c.at, c.started = at, true; at.last() != c.after {
			c.all = append(c.all, m)
		}
	}
	return c.all
}

// lastOf is where the entry's last message lies.
func lastOf(e *entries.Entry) place {
	return place{e.Ledger, e.Entry, int32(min(e.Count()-1, anywhere))}
}

// wants reports whether a message there did not come before, and is not before the position's own.
func (c *checker) wants(at place) bool {
	switch {
	case c.started:
		return at.compare(c.at) > 0
	case !c.after.IsZero():
		return at.compare(placeAt(c.after)) >= 0
	}
	return true
}
