package pulsar

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// checker gives the messages of a partition in order, each once, without a hole. The client is not believed: it goes from
// a message to one far behind, without a word, where the ledgers between are gone.
type checker struct {
	l       *Log
	p       *partition
	source  pulsar.Reader
	open    func(ctx context.Context, at messages.Position) (pulsar.Reader, error)
	decoder *decoder

	after   messages.Position // given to the reader: what comes after it is wanted
	at      place             // of the last message
	index   uint64            // of the last message
	started bool              // at and index are known
	remnant bool              // what came before the oldest record kept is not asked for
}

func newChecker(l *Log, p *partition, source pulsar.Reader, after messages.Position) *checker {
	open := func(ctx context.Context, at messages.Position) (pulsar.Reader, error) {
		return l.openSource(ctx, p, at)
	}
	return &checker{l: l, p: p, source: source, open: open, decoder: newDecoder(l, p), after: after}
}

func (c *checker) close() {
	c.decoder.close()
	c.source.Close()
}

// next is the next message that has records after c.after; c.at is its place then.
func (c *checker) next(ctx context.Context) (pulsar.Message, error) {
	for {
		m, err := c.source.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err := c.reopen(ctx, err); err != nil {
				return nil, err
			}
			continue
		}
		at, err := placeOf(m.ID())
		if err != nil {
			return nil, err
		}
		if c.started && at.compare(c.at) <= 0 {
			continue // delivered twice
		}
		if !c.started && !c.after.IsZero() && at.last().Compare(placeAt(c.after).last()) < 0 {
			continue // before the position's own message
		}
		index := m.Index()
		if err := c.check(ctx, at, index); err != nil {
			if errors.Is(err, errReread) {
				continue
			}
			return nil, err
		}
		c.at, c.started = at, true
		if index != nil {
			c.index = *index
		}
		if !c.after.IsZero() && at.last() == c.after {
			continue // the position's own message, which holds nothing after it
		}
		return m, nil
	}
}

// errReread says that records turned up: they come next.
var errReread = errors.New("read again")

// check looks at a message's place and index. A message without an index may only a tenant have whose log time is ticks: where its
// reader begins is all that can be checked there.
func (c *checker) check(ctx context.Context, at place, index *uint64) error {
	switch {
	case index == nil && c.p.tenant.LogTime != TickTime:
		return fmt.Errorf("%w: the record at %s of %s has no index: %s", eventlog.ErrUnstamped, at.last(), c.p.topic, neededSettings)
	case !c.started && !c.after.IsZero():
		if at != placeAt(c.after) {
			return c.trimmed(placeAt(c.after), at)
		}
		return nil
	case index == nil:
		return nil
	case !c.started:
		// A ledger goes as a whole, and every entry of one has a number of its own: the first message is number N of all and N of its
		// ledger where nothing is gone, though the client may give none of those before (they have no payload).
		if *index != uint64(at.entry)+uint64(at.batch) && !c.remnant {
			return fmt.Errorf("%w: the oldest record kept, at %s, is number %d: those before are gone", eventlog.ErrTrimmed, at.last(), *index)
		}
		return nil
	case *index == c.index+1:
		return nil
	}
	return c.lookAgain(ctx, at, *index)
}

func (c *checker) trimmed(wanted, got place) error {
	return fmt.Errorf("%w: the record at %s is gone, the next one kept is at %s", eventlog.ErrTrimmed, wanted.last(), got.last())
}

// lookAgain decides on a hole between the last message and the one at the given place, by a second Reader from the last
// message on. Where that finds what was missing, the first is opened again there.
func (c *checker) lookAgain(ctx context.Context, at place, index uint64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.l.config.Timeout, errPatience)
	defer cancel()
	second, err := c.open(ctx, c.at.last())
	if err != nil {
		return err
	}
	found, err := c.compare(ctx, second, at)
	second.Close()
	if err != nil {
		return err
	}
	c.l.metrics.holes.WithLabelValues(string(found)).Inc()
	c.l.logger.Warn("records' numbers are not in sequence", "topic", c.p.topic, "after", c.index, "came", index, "found", string(found))
	switch found {
	case foundLoss:
		return c.trimmed(c.at, at)
	case foundRecord:
		again, err := c.open(ctx, c.at.last())
		if err != nil {
			return err
		}
		c.source.Close()
		c.source = again
		return errReread
	}
	return nil
}

// finding is what a second look at a hole found.
type finding string

const (
	foundMarker finding = "marker" // nothing is missing: the broker numbered something of its own
	foundRecord finding = "record" // the missing record was there
	foundLoss   finding = "loss"   // the record before the hole is gone as well: so are those in it
)

// compare reads the last message again, and the one after.
func (c *checker) compare(ctx context.Context, second pulsar.Reader, came place) (finding, error) {
	for own := false; ; {
		m, err := second.Next(ctx)
		if err != nil {
			return "", cause(ctx)
		}
		at, err := placeOf(m.ID())
		if err != nil {
			return "", err
		}
		switch order := at.compare(c.at); {
		case order < 0:
		case order == 0:
			own = true
		case !own:
			return foundLoss, nil
		case at == came:
			return foundMarker, nil
		default:
			return foundRecord, nil
		}
	}
}

// reopen replaces a Reader that the client gave up. Where its topic is gone the error says so.
func (c *checker) reopen(ctx context.Context, why error) error {
	c.l.metrics.reopened.WithLabelValues("reader").Inc()
	c.l.logger.Warn("a reader was given up by the client, another is opened", "topic", c.p.topic, "error", why)
	after := c.after
	if c.started {
		after = c.at.last()
	}
	for {
		source, err := c.open(ctx, after)
		if err == nil {
			c.source.Close()
			c.source = source
			return nil
		}
		if ctx.Err() != nil || !errors.Is(err, eventlog.ErrUnreachable) {
			return err
		}
	}
}
