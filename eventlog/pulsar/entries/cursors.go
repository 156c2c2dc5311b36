package entries

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Cursors holds subscriptions of one name on many partitions. Through them it asks for a
// partition's last entry, and tells the broker which entries are not needed any more. They receive
// no entries. All partitions of one broker share a connection, with one goroutine that Close joins.
// Any number of goroutines may use it.
type Cursors struct {
	o            Options
	subscription string

	mu     sync.Mutex
	lines  map[string]*line // by the broker's address
	closed bool
	group  sync.WaitGroup
}

// NewCursors returns Cursors that are not connected yet.
func NewCursors(o Options, subscription string) *Cursors {
	return &Cursors{o: o, subscription: subscription, lines: map[string]*line{}}
}

// Close ends all questions with an error and joins the goroutines.
func (s *Cursors) Close() {
	s.mu.Lock()
	s.closed = true
	for _, l := range s.lines {
		_ = l.c.Close()
	}
	s.mu.Unlock()
	s.group.Wait()
}

// Open subscribes to a partition. Other processes may hold the same subscription; Open creates it
// if it does not exist.
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

// line returns the connection to c's broker. If there is none, c becomes it.
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

// Cursor is the subscription on one partition.
type Cursor struct {
	l  *line
	id uint64
}

// Last returns the place of the partition's last message. The entry is below 0 if the partition
// never had a message, the batch is below 0 if the message was not sent in a batch.
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

// Acknowledge tells the broker that nothing up to the entry is needed any more, and returns when
// the broker has confirmed it.
func (x *Cursor) Acknowledge(ctx context.Context, ledger, entry int64) error {
	const cumulative = 1
	at := pack(nil).number(1, uint64(ledger)).number(2, uint64(entry))
	_, err := x.l.ask(ctx, x, cmdAck, func(id uint64) pack {
		return pack(nil).number(1, x.id).number(2, cumulative).bytes(3, at).number(8, id)
	})
	return err
}

// IsOpen reports whether the cursor can be used: it was not closed, and the broker has not closed
// it.
func (x *Cursor) IsOpen() bool { return x.l.isOpen(x) }

// Close ends the cursor.
func (x *Cursor) Close() {
	if x.l.drop(x, net.ErrClosed) {
		_, _ = x.l.send(nil, cmdCloseConsumer, func(id uint64) pack { return pack(nil).number(1, x.id).number(2, id) })
	}
}
