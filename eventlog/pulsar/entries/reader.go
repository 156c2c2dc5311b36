package entries

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
)

const (
	consumer = 1  // the number of the only one on a connection
	permits  = 64 // messages that the broker may send before it is told that some came
)

// Reader gives a partition's entries in order. It is for one goroutine.
type Reader struct {
	c *conn
}

// Open begins at an entry, or, where the ledger is below 0, at the oldest one kept. Where the entry is gone, what comes first is
// the next one kept.
func Open(ctx context.Context, o Options, topic string, ledger, entry int64) (*Reader, error) {
	c, err := connect(ctx, o, topic)
	if err != nil {
		return nil, err
	}
	if ledger < 0 {
		ledger, entry = -1, -1
	}
	// A start with a place in a batch has the broker send the whole entry.
	start := pack(nil).number(1, uint64(ledger)).number(2, uint64(entry)).number(4, 0)
	body := pack(nil).text(1, topic).text(2, "dashfeed-entries-"+rand.Text()).number(3, 0).number(4, consumer).number(5, 2).
		text(6, "dashfeed-entries").number(8, 0).bytes(9, start).number(13, 1).number(15, 0)
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
	return &Reader{c}, nil
}

// Close gives up the connection.
func (r *Reader) Close() { _ = r.c.Close() }

var errGivenUp = errors.New("the broker has given up the consumer")

// Next is the next entry. When ctx ended before it came, the reader can't be used any more.
func (r *Reader) Next(ctx context.Context) (e *Entry, err error) {
	err = r.c.within(ctx, func() error {
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
				return errGivenUp
			}
		}
		// The broker counts messages, by what the entry says of itself.
		return r.c.send(cmdFlow, pack(nil).number(1, consumer).number(2, uint64(min(e.Count(), math.MaxInt32))))
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}
