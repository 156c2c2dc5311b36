package pulsar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
	"github.com/dashfeed/dashfeed/messages"
)

const (
	// lull is how long the client may give nothing before the log is asked whether something is there: short enough that a
	// shard whose last record the client keeps to itself stays live (actors: a second).
	lull = 400 * time.Millisecond
	// patience is how long the answer may take, and an entry that the log has named.
	patience = time.Second
)

// checker gives the messages of a partition in order, each once, without a hole, and none depends on what was read before. The client
// is not believed: it goes from a message to one far behind, without a word, where the ledgers between are gone, and keeps to itself
// what it can't make a message of. Where what it gives does not follow, and where it gives nothing though there is something, the
// checker takes a look at the entries themselves.
type checker struct {
	l       *Log
	p       *partition
	source  pulsar.Reader
	open    func(ctx context.Context, at messages.Position) (pulsar.Reader, error)
	enter   func(ctx context.Context, ledger, entry int64) (entrance, error) // a look from that entry on
	last    func(ctx context.Context) (messages.Position, error)
	decoder *decoder

	after   messages.Position // given to the reader: what comes after it is wanted
	at      place             // of the last message
	index   uint64            // of the last message
	started bool              // at and index are known
	remnant bool              // what came before the oldest record kept is not asked for

	look  *look // nil: the client is read
	quiet quiet
	vain  vain

	passed messages.Position // a look has come as far as this, and found no message behind the last one
}

// entrance gives a partition's entries.
type entrance interface {
	Next(ctx context.Context) (*entries.Entry, error)
	Close()
}

func newChecker(l *Log, p *partition, source pulsar.Reader, after messages.Position) *checker {
	return &checker{
		l: l, p: p, source: source, decoder: newDecoder(l, p), after: after,
		open: func(ctx context.Context, at messages.Position) (pulsar.Reader, error) {
			return l.openSource(ctx, p, at)
		},
		enter: func(ctx context.Context, ledger, entry int64) (entrance, error) {
			return l.enter(ctx, p, ledger, entry)
		},
		last: func(ctx context.Context) (messages.Position, error) { return l.lately(ctx, p) },
	}
}

func (c *checker) close() {
	c.decoder.close()
	c.endLook()
	c.quiet.end()
	c.source.Close()
}

// next is the next message that has records after c.after; c.at is its place then. None, without an error, says that a look has come
// as far as c.passed and found no message behind the last one.
func (c *checker) next(ctx context.Context) (received, error) {
	for {
		if c.look != nil {
			passed := c.passed
			m, err := c.closely(ctx)
			if m != nil || err != nil || c.passed != passed {
				return m, err
			}
			continue
		}
		m, err := c.quiet.next(ctx, c.source)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, errSilence):
			err = c.lookBehind(ctx)
		case err != nil:
			err = c.reopen(ctx, err)
		default:
			if m, err = c.check(ctx, m); m != nil {
				return m, nil
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// check gives back a message of the client's that follows and is wanted. Where it does not follow, a look begins.
func (c *checker) check(ctx context.Context, m pulsar.Message) (pulsar.Message, error) {
	at, ok := whole(m)
	if !c.wants(at) {
		return nil, nil
	}
	index := m.Index()
	if ok && index == nil && c.p.tenant.LogTime != TickTime {
		return nil, fmt.Errorf("%w: the record at %s of %s has no index: %s", eventlog.ErrUnstamped, at.last(), c.p.topic, neededSettings)
	}
	if !ok || !c.follows(at, index) {
		return nil, c.beginLook(ctx, at, true)
	}
	if c.take(at, index); at.last() == c.after {
		return nil, nil // the position's own message, which holds nothing after it
	}
	return m, nil
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

func (c *checker) take(at place, index *uint64) {
	c.at, c.started = at, true
	if index != nil {
		c.index = *index
	}
}

// follows reports whether nothing can lie between the last message and this one. Where a tenant's log time is ticks there may be no
// numbers: then entries must follow, and whether something lay at a ledger's end is looked up.
func (c *checker) follows(at place, index *uint64) bool {
	switch {
	case !c.started && !c.after.IsZero():
		return at == placeAt(c.after)
	case !c.started:
		return at.entry == 0 && at.batch == 0 && (index == nil || *index == 0 || c.remnant)
	case index == nil:
		return at.ledger == c.at.ledger && at.entry <= c.at.entry+1
	}
	return *index == c.index+1
}

func (c *checker) trimmed(wanted, got place) error {
	return fmt.Errorf("%w: the record at %s is gone, the next one kept is at %s", eventlog.ErrTrimmed, wanted.last(), got.last())
}

// stand is the position behind which the next message lies.
func (c *checker) stand() messages.Position {
	if c.started {
		return c.at.last()
	}
	return c.after
}

// lookBehind begins a look where something lies behind the last message and the client is silent. It may be what it keeps to itself, or
// it asks the broker for nothing more: after a batch that it gave up it believes that the broker still owes it messages.
func (c *checker) lookBehind(ctx context.Context) error {
	last, err := c.last(ctx)
	if err != nil || !last.After(c.stand()) || !last.After(c.passed) || c.vain.again(last) {
		return nil //nolint:nilerr // who can't be asked is asked again
	}
	return c.beginLook(ctx, placeAt(last), false)
}

// reopen replaces a Reader that the client gave up. Where its topic is gone the error says so.
func (c *checker) reopen(ctx context.Context, why error) error {
	c.l.metrics.reopened.WithLabelValues("reader").Inc()
	c.l.logger.Warn("a reader was given up by the client, another is opened", "topic", c.p.topic, "error", why)
	return c.openAgain(ctx, c.stand())
}

// openAgain opens another Reader at a position.
func (c *checker) openAgain(ctx context.Context, at messages.Position) error {
	for {
		source, err := c.open(ctx, at)
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

// quiet reads a Reader as long as something comes.
type quiet struct {
	ctx    context.Context // ends a while after the last message
	cancel context.CancelFunc
	timer  *time.Timer
}

var errSilence = errors.New("the client gives nothing")

func (q *quiet) next(ctx context.Context, source pulsar.Reader) (pulsar.Message, error) {
	if q.ctx == nil || q.ctx.Err() != nil {
		q.end()
		q.ctx, q.cancel = context.WithCancel(ctx)
		q.timer = time.AfterFunc(lull, q.cancel)
	} else {
		q.timer.Reset(lull)
	}
	m, err := source.Next(q.ctx)
	if err != nil && q.ctx.Err() != nil && ctx.Err() == nil {
		return nil, errSilence
	}
	return m, err
}

func (q *quiet) end() {
	if q.cancel != nil {
		q.timer.Stop()
		q.cancel()
	}
}

// vain remembers up to where a look found nothing: it may be the beginning of a chunked message, or a transaction that is open.
type vain struct {
	last messages.Position
	when time.Time
}

// again reports whether a look up to there was in vain a short time ago.
func (v *vain) again(last messages.Position) bool {
	const pause = 30 * time.Second
	return v.last == last && time.Since(v.when) < pause
}

// lately is the partition's last position as of not long ago: shards ask for it all the time.
func (l *Log) lately(ctx context.Context, p *partition) (messages.Position, error) {
	if known := p.newest.Load(); known != nil && time.Since(known.when) < 2*patience {
		return known.position, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience) // what the client gives meanwhile waits
	defer cancel()
	return l.last(ctx, p)
}

// newest is a partition's last position, when the broker was asked.
type newest struct {
	position messages.Position
	when     time.Time
}
