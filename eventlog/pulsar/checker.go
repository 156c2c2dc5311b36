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

// checker returns the messages of a partition in order, each once, without a hole, and the same
// ones wherever reading began. The broker skips from an entry to one far behind it without a word,
// both if the ledgers between are gone, and if it keeps to itself what lies between. It drops whole
// ledgers, the oldest first, so that nothing is gone between two entries of one ledger, nor behind
// an entry that still exists.
type checker struct {
	l       *Log
	p       *partition
	enter   enterFunc
	decoder *decoder

	after   messages.Position // the position given to the reader: what comes after it is wanted
	at      place             // the last message
	started bool              // at is set
	remnant bool              // what came before the oldest record kept is not needed
	passed  messages.Position // the entries up to here hold no message behind the last one

	from   entrance // nil: it is closed and must be opened again
	seen   *entries.Entry
	chunks entries.Assembler

	all  []received // the messages of one entry
	each []entries.Message
}

// entrance reads a partition's entries.
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

// stand returns the position behind which the next message lies.
func (c *checker) stand() messages.Position {
	if c.started {
		return c.at.last()
	}
	return c.after
}

// next returns the messages of the next entry that has some after c.after. If it returns none and
// no error, the entries up to c.passed hold none behind the last one.
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

// entry returns the next entry. If reading breaks off, it begins again whatever error the broker
// gives: a broker that starts, or whose tokens change, accepts us again later. Only a missing topic
// is an error.
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
				warn = c.l.logger.Debug // warn once
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

// follows returns an error if something may be missing before the entry.
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

// begins returns an error if the first entry is not the one that it must be. For a reader of the
// whole log, that is the first entry ever. The broker drops whole ledgers, and every entry of a
// ledger takes one number or more (a batch inside a transaction takes one). So if ledgers are gone,
// the entry's number is greater than its place in its ledger.
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

// isThere returns an error if the broker no longer has the entry. If it has it, it also has all
// that came after it.
func (c *checker) isThere(ctx context.Context, e *entries.Entry) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.l.config.Timeout, errTimeout)
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

// unfold returns the entry's messages that are wanted.
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
		// otherwise it is the message of c.after, and holds nothing after that
		if c.at, c.started = at, true; at.last() != c.after {
			c.all = append(c.all, m)
		}
	}
	return c.all
}

// lastOf returns the place of the entry's last message.
func lastOf(e *entries.Entry) place {
	return place{e.Ledger, e.Entry, int32(min(e.Count()-1, lastBatchIndex))}
}

// wants reports whether the message at that place did not come before, and is not before that of
// c.after.
func (c *checker) wants(at place) bool {
	switch {
	case c.started:
		return at.compare(c.at) > 0
	case !c.after.IsZero():
		return at.compare(placeAt(c.after)) >= 0
	}
	return true
}
