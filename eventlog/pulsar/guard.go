package pulsar

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
	"github.com/dashfeed/dashfeed/messages"
)

// guardOf opens the partition's guard, or waits for another caller who opens it. The guard receives
// no message: through it we tell the broker which records may go, and ask for the last message.
func (l *Log) guardOf(ctx context.Context, p *partition) (*entries.Cursor, error) {
	g, err := p.guard.get(ctx, l, func() (*entries.Cursor, error) {
		ctx, cancel := context.WithTimeoutCause(l.life, l.config.Timeout, errTimeout)
		defer cancel()
		g, err := l.guards.Open(ctx, p.topic)
		if err != nil {
			return nil, l.enterError(p, err)
		}
		return g, nil
	})
	if err != nil {
		return nil, fmt.Errorf("hold the guard of %s: %w", p.topic, err)
	}
	return g, nil
}

// guarded calls do with the partition's guard. If the broker has closed the guard or answers with
// an error, for example because the topic has moved, it opens another guard and retries until ctx
// ends.
func (l *Log) guarded(ctx context.Context, p *partition, do func(g *entries.Cursor) error) error {
	for wait := broker.NewBackoff(); ; {
		g, err := l.guardOf(ctx, p)
		if err == nil {
			if err = do(g); err == nil {
				return nil
			}
			var said *entries.BrokerError
			if (errors.As(err, &said) || !g.IsOpen()) && p.guard.lose(g) {
				g.Close()
			}
			err = unreachable(err)
		}
		if !errors.Is(err, eventlog.ErrUnreachable) || !eventlog.Pause(ctx, wait.Next()) {
			return err
		}
	}
}

// Last returns the position of the partition's newest record; zero if it never had one.
func (l *Log) Last(ctx context.Context, partition int) (messages.Position, error) {
	p, err := l.table.Load().shard(partition)
	if err != nil {
		return messages.Position{}, fmt.Errorf("last position: %w", err)
	}
	if l.life.Err() != nil {
		return messages.Position{}, eventlog.ErrClosed
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errTimeout)
	defer cancel()
	position, err := l.last(ctx, p)
	if err != nil {
		return position, fmt.Errorf("last position of partition %d: %w", partition, err)
	}
	return position, nil
}

func (l *Log) last(ctx context.Context, p *partition) (last messages.Position, err error) {
	var ledger, entry int64
	var batch int32
	err = l.guarded(ctx, p, func(g *entries.Cursor) (err error) {
		ledger, entry, batch, err = g.Last(ctx)
		return err
	})
	if err != nil || entry < 0 {
		return last, err
	}
	at, err := placeIn(ledger, entry, batch)
	return at.last(), err
}

// release says how far a partition's guard may move.
type release struct {
	mu   sync.Mutex
	want messages.Position // what callers asked for
	told messages.Position // what the broker knows
	err  error             // of the newest move; the next Release returns it

	stale atomic.Bool // want is beyond told
}

// Release lets the guard move to the message before the position's own, which stays so that a
// reader from there finds it. The broker learns of it within a second, once for all calls in
// between. The next call returns the error of a failed move.
func (l *Log) Release(partition int, upTo messages.Position) error {
	p, err := l.table.Load().shard(partition)
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if l.life.Err() != nil {
		return eventlog.ErrClosed
	}
	r := &p.release
	r.mu.Lock()
	defer r.mu.Unlock()
	if upTo.After(r.want) {
		r.want = upTo
		r.stale.Store(true)
	}
	err, r.err = r.err, nil
	if err != nil {
		return fmt.Errorf("release partition %d: %w", partition, err)
	}
	return nil
}

// moveGuards tells the broker once a second which records may go.
func (l *Log) moveGuards() {
	for eventlog.Pause(l.life, time.Second) {
		for _, p := range l.table.Load().shards {
			if p.release.stale.Load() && l.life.Err() == nil {
				l.moveGuard(p)
			}
		}
	}
}

func (l *Log) moveGuard(p *partition) {
	r := &p.release
	r.mu.Lock()
	want := r.want
	r.stale.Store(false)
	r.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(l.life, l.config.Timeout, errTimeout)
	defer cancel()
	err := l.acknowledge(ctx, p, placeAt(want))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err = err; err == nil {
		r.told = want
		return
	}
	r.stale.Store(true)
}

// acknowledge acknowledges everything before the entry of the place. The broker drops an
// acknowledged entry as a whole, so the place's own entry stays. If it is the first entry of its
// ledger, nothing is acknowledged.
func (l *Log) acknowledge(ctx context.Context, p *partition, at place) error {
	if at.entry == 0 {
		return nil
	}
	return l.guarded(ctx, p, func(g *entries.Cursor) error { return g.Acknowledge(ctx, at.ledger, at.entry-1) })
}

// stopped holds the reason why a partition is not read and not written, if there is one.
type stopped struct{ reason atomic.Pointer[error] }

func (s *stopped) err() error {
	if e := s.reason.Load(); e != nil {
		return *e
	}
	return nil
}

func (s *stopped) set(err error) {
	if err == nil {
		s.reason.Store(nil)
		return
	}
	s.reason.Store(&err)
}
