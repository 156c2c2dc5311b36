package entries

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Cursors are subscriptions of one name at many partitions, through which a partition's last entry
// is asked for and the broker is told what may go; no entry comes. All partitions that a broker
// serves share a connection, each with a goroutine that Close joins. Any number of goroutines may
// use it.
type Cursors struct {
	o            Options
	subscription string

	mu     sync.Mutex
	lines  map[string]*line // by broker
	closed bool
	group  sync.WaitGroup
}

// NewCursors connects to nobody yet.
func NewCursors(o Options, subscription string) *Cursors {
	return &Cursors{o: o, subscription: subscription, lines: map[string]*line{}}
}

// Close ends all questions.
func (s *Cursors) Close() {
	s.mu.Lock()
	s.closed = true
	for _, l := range s.lines {
		_ = l.c.Close()
	}
	s.mu.Unlock()
	s.group.Wait()
}

// Open subscribes to a partition, beside whoever else does; the subscription is made where it is
// not there.
func (s *Cursors) Open(ctx context.Context, topic string) (*Cursor, error) {
	const failover, earliest = 2, 1
	c, err := connect(ctx, s.o, topic)
	if err != nil {
		return nil, err
	}
	l, err := s.line(c)
	if err != nil {
		return nil, err
	}
	x := l.add()
	_, err = l.ask(ctx, x, cmdSubscribe, func(id uint64) pack {
		return pack(nil).text(1, topic).text(2, s.subscription).number(3, failover).number(4, x.id).number(5, id).
			text(6, "dashfeed-cursor").number(8, 1).number(13, earliest).number(15, 0)
	})
	if err != nil {
		x.Close()
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	return x, nil
}

// line is the connection to a broker; c becomes it where there is none.
func (s *Cursors) line(c *conn) (*line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	if l := s.lines[c.host]; l != nil {
		_ = c.Close()
		return l, nil
	}
	l := newLine(c)
	s.lines[c.host] = l
	s.group.Go(func() {
		err := l.read()
		s.mu.Lock()
		delete(s.lines, c.host)
		s.mu.Unlock()
		_ = c.Close()
		l.end(err)
	})
	return l, nil
}

// Cursor is a partition's.
type Cursor struct {
	l  *line
	id uint64
}

// Last is where the partition's last message lies; an entry below 0 where it never had one, a batch
// below 0 where it was not sent in one.
func (x *Cursor) Last(ctx context.Context) (ledger, entry int64, batch int32, err error) {
	body, err := x.l.ask(ctx, x, cmdLast, func(id uint64) pack { return pack(nil).number(1, x.id).number(2, id) })
	if err != nil {
		return 0, 0, 0, err
	}
	batch = -1
	err = fields(body, func(f field) error {
		if f.number != 1 {
			return nil
		}
		return fields(f.b, func(f field) error {
			switch f.number {
			case 1:
				ledger = int64(f.n)
			case 2:
				entry = int64(f.n)
			case 4:
				batch = int32(f.n)
			}
			return nil
		})
	})
	return ledger, entry, batch, err
}

// Acknowledge returns when the broker knows that nothing up to the entry is wanted again.
func (x *Cursor) Acknowledge(ctx context.Context, ledger, entry int64) error {
	const cumulative = 1
	at := pack(nil).number(1, uint64(ledger)).number(2, uint64(entry))
	_, err := x.l.ask(ctx, x, cmdAck, func(id uint64) pack {
		return pack(nil).number(1, x.id).number(2, cumulative).bytes(3, at).number(8, id)
	})
	return err
}

// IsOpen reports whether it can be asked: neither was it closed, nor has the broker given it up.
func (x *Cursor) IsOpen() bool { return x.l.isOpen(x) }

// Close gives it up.
func (x *Cursor) Close() {
	if x.l.drop(x, net.ErrClosed) {
		_, _ = x.l.send(nil, cmdCloseConsumer, func(id uint64) pack { return pack(nil).number(1, x.id).number(2, id) })
	}
}
