package entries

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

const (
	consumer = 1    // the number of the only consumer on a connection
	permits  = 1000 // messages that the broker may send before we grant it more
)

// Reader returns a partition's entries in order: all that the broker sends to anybody. One
// goroutine uses it.
//
// When a broker sends several entries at once, it adds up the numbers of messages that they
// announce, and sends none of them if the sum is 0: an entry that announces -1 messages hides
// another one. So the reader asks for the entries of a gap one by one. A gap of one entry holds
// nothing: alone, an entry is hidden only if it announces 0 messages, and then it has none.
type Reader struct {
	c              *conn
	o              Options
	topic          string
	held           string // the subscription's name, if Hold made the reader
	consumed       int64  // messages received since the broker was last granted more
	permitsUnknown bool   // the broker's count of what it may send is unknown

	next   spot   // the place after the last entry that was returned
	known  bool   // next is set
	behind *Entry // the entry after the gap that is being searched
}

// spot is the place of an entry.
type spot struct{ ledger, entry int64 }

func (e *Entry) spot() spot { return spot{e.Ledger, e.Entry} }

func (s spot) before(o spot) bool {
	return s.ledger < o.ledger || s.ledger == o.ledger && s.entry < o.entry
}

// Open begins at an entry, or at the oldest one kept if the ledger is below 0. If the entry is
// gone, the next one kept comes first.
func Open(ctx context.Context, o Options, topic string, ledger, entry int64) (*Reader, error) {
	r, err := begin(ctx, o, topic, spot{ledger, entry}, permits)
	if err == nil && ledger >= 0 {
		r.next, r.known = spot{ledger, entry}, true
	}
	return r, err
}

func begin(ctx context.Context, o Options, topic string, at spot, permits uint64) (*Reader, error) {
	if at.ledger < 0 {
		at = spot{-1, -1}
	}
	// With a batch place in the start position, the broker sends the whole entry.
	start := pack(nil).number(1, uint64(at.ledger)).number(2, uint64(at.entry)).number(4, 0)
	return subscribe(ctx, o, topic, pack(nil).text(2, "dashfeed-entries-"+rand.Text()).number(8, 0).bytes(9, start), permits)
}

// Hold begins after what the topic's subscription of that name has acknowledged. It creates the
// subscription if it does not exist, and holds it alone: IsBusy tells from the error that another
// holds it.
func Hold(ctx context.Context, o Options, topic, subscription string) (*Reader, error) {
	r, err := subscribe(ctx, o, topic, pack(nil).text(2, subscription).number(8, 1), permits)
	if err == nil {
		r.held = subscription
	}
	return r, err
}

// subscribe returns a reader of an exclusive subscription.
func subscribe(ctx context.Context, o Options, topic string, what pack, permits uint64) (*Reader, error) {
	const exclusive, earliest = 0, 1
	c, err := connect(ctx, o, topic)
	if err != nil {
		return nil, err
	}
	body := what.text(1, topic).number(3, exclusive).number(4, consumer).number(5, 2).text(6, "dashfeed-entries").number(13, earliest).number(15, 0)
	err = c.within(ctx, func() error {
		if err := c.send(cmdSubscribe, body); err != nil {
			return err
		}
		if _, err := c.await(cmdSuccess); err != nil {
			return err
		}
		return c.send(cmdFlow, pack(nil).number(1, consumer).number(2, permits))
	})
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("read the entries of %s: %w", topic, err)
	}
	return &Reader{c: c, o: o, topic: topic}, nil
}

// IsBusy reports whether err says that another holds the subscription.
func IsBusy(err error) bool {
	const consumerBusy = 5
	var said *BrokerError
	return errors.As(err, &said) && said.Code == consumerBusy
}

// Close closes the connection.
func (r *Reader) Close() { _ = r.c.Close() }

var errConsumerClosed = errors.New("the broker has given up the consumer")

// Next returns the next entry. If ctx ends before the entry comes, or later but before a Next with
// another ctx, the reader can't be used any more.
func (r *Reader) Next(ctx context.Context) (e *Entry, err error) {
	if r.permitsUnknown && r.behind == nil {
		if err := r.renew(ctx); err != nil {
			return nil, err
		}
	}
	if r.behind == nil {
		if e, err = r.come(ctx); err != nil {
			return nil, err
		}
		switch {
		case r.known:
		case r.held != "":
			r.next = e.spot()
		default:
			r.next = spot{e.Ledger, 0}
		}
		if at := e.spot(); r.next.before(at) && (r.next.ledger != at.ledger || at.entry-r.next.entry > 1) {
			r.behind = e
		}
	}
	if r.behind != nil {
		if e, err = r.alone(ctx, r.next); err != nil {
			return nil, err
		}
		if !e.spot().before(r.behind.spot()) {
			e, r.behind = r.behind, nil
		}
	}
	r.next, r.known = spot{e.Ledger, e.Entry + 1}, true
	return e, nil
}

// come returns the next entry that the broker sends.
func (r *Reader) come(ctx context.Context) (e *Entry, err error) {
	err = r.c.closingWith(ctx, func() error {
		for e == nil {
			f, err := r.c.read()
			if err != nil {
				return err
			}
			switch f.kind {
			case cmdMessage:
				if e, err = readEntry(f); err != nil {
					return err
				}
			case cmdCloseConsumer:
				return errConsumerClosed
			}
		}
		return r.came(e)
	})
	return e, err
}

// alone returns the first entry from that place on that the broker sends when it may send only one.
func (r *Reader) alone(ctx context.Context, from spot) (*Entry, error) {
	one, err := begin(ctx, r.o, r.topic, from, 1)
	if err != nil {
		return nil, err
	}
	defer one.Close()
	return one.come(ctx)
}

// More reports whether another entry has come, or a part of one.
func (r *Reader) More() bool { return !r.permitsUnknown && (r.behind != nil || r.c.in.Buffered() > 0) }

// came grants the broker more messages, for many entries at once. The broker counts the messages
// that an entry announces, in 32 bits, even if that number is negative or overflows the count.
func (r *Reader) came(e *Entry) error {
	if e.batched && (e.batch < 0 || e.batch > MaxBatch) {
		r.permitsUnknown = true
		return nil
	}
	if r.consumed += e.Count(); r.consumed < permits/2 {
		return nil
	}
	more := r.consumed
	r.consumed = 0
	return r.c.send(cmdFlow, pack(nil).number(1, consumer).number(2, uint64(more)))
}

// renew reconnects, so that the broker counts from the beginning again.
func (r *Reader) renew(ctx context.Context) (err error) {
	_ = r.c.Close()
	var fresh *Reader
	if r.held != "" {
		fresh, err = Hold(ctx, r.o, r.topic, r.held)
	} else {
		fresh, err = begin(ctx, r.o, r.topic, r.next, permits)
	}
	if err == nil {
		r.c, r.consumed, r.permitsUnknown = fresh.c, 0, false
	}
	return err
}

// Acknowledge tells the broker that nothing up to the entry is needed any more. Only a reader that
// Hold made may call it.
func (r *Reader) Acknowledge(ledger, entry int64) error {
	const cumulative = 1
	id := pack(nil).number(1, uint64(ledger)).number(2, uint64(entry))
	return r.c.send(cmdAck, pack(nil).number(1, consumer).number(2, cumulative).bytes(3, id))
}
