package pulsar

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/messages"
)

// guard is this process's hold of a partition's guard subscription. It asks for no message; it
// tells the broker what may go, and is told what the last message is.
type guard struct {
	consumer pulsar.Consumer
	asking   lazyCall[pulsar.MessageID]
}

func (l *Log) guardOf(ctx context.Context, p *partition) (*guard, error) {
	g, err := p.guard.get(ctx, l, func() (*guard, error) {
		c, err := l.reading.Subscribe(pulsar.ConsumerOptions{
			Topic:                       p.topic,
			SubscriptionName:            GuardName(l.config.Cluster),
			Type:                        pulsar.Failover,
			SubscriptionInitialPosition: pulsar.SubscriptionPositionEarliest,
			EnableZeroQueueConsumer:     true, // nothing is sent to us until we ask, which we don't
			AckWithResponse:             true,
			BackOffPolicyFunc:           broker.NewBackoff,
			Decryption:                  broker.Encrypted(),
		})
		if err != nil {
			return nil, classify(err)
		}
		return &guard{consumer: c}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("hold the guard of %s: %w", p.topic, err)
	}
	return g, nil
}

// Last is the position of the partition's newest record; zero where it never had one.
func (l *Log) Last(ctx context.Context, partition int) (messages.Position, error) {
	p, err := l.table.Load().shard(partition)
	if err != nil {
		return messages.Position{}, fmt.Errorf("last position: %w", err)
	}
	if l.life.Err() != nil {
		return messages.Position{}, eventlog.ErrClosed
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errPatience)
	defer cancel()
	position, err := l.last(ctx, p)
	if err != nil {
		return position, fmt.Errorf("last position of partition %d: %w", partition, err)
	}
	return position, nil
}

func (l *Log) last(ctx context.Context, p *partition) (messages.Position, error) {
	g, err := l.guardOf(ctx, p)
	if err != nil {
		return messages.Position{}, err
	}
	id, err := g.asking.do(ctx, l, func() (pulsar.MessageID, error) {
		ids, err := question(l, g.consumer.GetLastMessageIDs)
		if err != nil {
			return nil, unreachable(err)
		}
		if len(ids) != 1 {
			return nil, fmt.Errorf("%d last messages of one partition", len(ids))
		}
		return ids[0], nil
	})
	if err != nil {
		return messages.Position{}, err
	}
	var last messages.Position
	if id.EntryID() >= 0 {
		at, err := placeOf(id)
		if err != nil {
			return last, err
		}
		last = at.last()
	}
	return last, nil
}

// lazyCall asks the client once for all who ask meanwhile, in a goroutine of the log's: the client
// knows no context. An answer is never older than the question: whoever comes while one is under
// way, which may take long where a broker is in trouble, waits for the next.
type lazyCall[T any] struct {
	mu   sync.Mutex
	now  *opening[T] // under way
	next *opening[T] // begins when that ends; nil: nobody waits for it
}

func (z *lazyCall[T]) do(ctx context.Context, l *Log, ask func() (T, error)) (T, error) {
	z.mu.Lock()
	o := z.next
	if o == nil {
		o = &opening[T]{done: make(chan struct{})}
		if z.now != nil {
			z.next = o
		} else if l.work(func() { z.run(o, ask) }) {
			z.now = o
		} else {
			z.mu.Unlock()
			return o.value, eventlog.ErrClosed
		}
	}
	z.mu.Unlock()
	select {
	case <-o.done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, cause(ctx)
	}
}

// run asks until nobody waits.
func (z *lazyCall[T]) run(o *opening[T], ask func() (T, error)) {
	for o != nil {
		o.value, o.err = ask()
		z.mu.Lock()
		next := z.next
		z.now, z.next = next, nil
		z.mu.Unlock()
		close(o.done)
		o = next
	}
}

// release is how far a partition's guard may move.
type release struct {
	mu   sync.Mutex
	want messages.Position // asked for
	told messages.Position // the broker knows
	err  error             // of the newest move, not returned to anybody yet

	stale atomic.Bool // want lies beyond told
}

// Release lets the guard move to the message before the position's own, which stays so that a
// reader from there finds it. The broker is told within a second, once for all calls meanwhile; an
// error is returned by the next call.
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

// moveGuards tells the broker once a second what may go.
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
	ctx, cancel := context.WithTimeoutCause(l.life, l.config.Timeout, errPatience)
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

// acknowledge everything before the entry that holds the place. An acknowledged entry is gone as a
// whole, so its own stays; of the first entry of a ledger nothing is said, until the next.
func (l *Log) acknowledge(ctx context.Context, p *partition, at place) error {
	if at.entry == 0 {
		return nil
	}
	g, err := l.guardOf(ctx, p)
	if err != nil {
		return err
	}
	_, err = question(l, func() (struct{}, error) {
		return struct{}{}, g.consumer.AckIDCumulative(pulsar.NewMessageID(at.ledger, at.entry-1, -1, 0))
	})
	if err != nil {
		return unreachable(err)
	}
	return nil
}

// stopped is why a partition is not read and not written, if it isn't.
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
