package client

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// handover moves a subscription from a draining server to the next one: it waits for its slot and
// opens a second connection while the first still serves. Its goroutine ends after that; end waits
// for it.
type handover struct {
	slot   time.Time
	result chan opening // has room for the one result
	conn   *connection  // open, with the subscribe request sent
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// opening is the result of an attempt.
type opening struct {
	conn *connection
	err  error
}

// handOver starts a handover in the slot that f gives, at a random time in [after, after+within).
func (c *Client) handOver(f *wire.Drain, turn uint32) *handover {
	wait := time.Duration(f.After) * time.Millisecond
	if f.Within > 0 {
		wait += rand.N(time.Duration(f.Within) * time.Millisecond)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &handover{slot: time.Now().Add(wait), result: make(chan opening, 1), cancel: cancel}
	h.done.Go(func() {
		var o opening
		if o.err = pause(ctx, wait); o.err == nil {
			o.conn, o.err = c.connect(ctx, turn)
		}
		h.result <- o
	})
	return h
}

// opened returns the channel of the result; a nil handover returns nil.
func (h *handover) opened() <-chan opening {
	if h == nil {
		return nil
	}
	return h.result
}

// read returns the channel of the new connection's frames, or nil if there is none.
func (h *handover) read() <-chan wire.Frame {
	if h == nil {
		return nil
	}
	return h.conn.read()
}

// end cancels the handover, closes its connection and waits for its goroutine. A nil handover has
// already ended.
func (h *handover) end() {
	if h == nil {
		return
	}
	h.cancel()
	h.done.Wait()
	select {
	case o := <-h.result:
		o.conn.close()
	default:
	}
	h.conn.close()
}

// drained handles a drain frame of the server.
func (s *Subscription) drained(f *wire.Drain) {
	if s.next != nil && s.next.conn != nil {
		return // a handover is already running
	}
	s.next.end()
	s.next = s.client.handOver(f, s.turn)
	s.turn++
}

// opened handles the result of the handover's attempt. If it failed, the old connection serves
// until the server closes it.
func (s *Subscription) opened(ctx context.Context, o opening) (SubscriptionEvent, error) {
	conn, err := o.conn, o.err
	if err == nil {
		err = s.ask(conn)
	}
	s.next.cancel()
	switch {
	case err == nil && s.conn != nil:
		s.next.conn = conn
	case err == nil: // the old connection has ended meanwhile
		s.conn, s.next = conn, nil
	default:
		s.next = nil
		if s.conn == nil {
			return s.lost(ctx, err)
		}
	}
	return nil, nil
}

// takeOver handles the first frame of the new connection. Both connections send changes from the
// same place; changes that both send are applied once.
func (s *Subscription) takeOver(ctx context.Context, f wire.Frame) (SubscriptionEvent, error) {
	switch f.(type) {
	case *wire.Subscribed, *wire.Update, *wire.Gap:
		s.conn.close()
		s.conn, s.next = s.next.conn, nil
		return s.take(ctx, s.conn, f)
	case *wire.ErrorFrame, *wire.Drain: // no better than the old connection
		s.next.end()
		s.next = nil
	}
	return nil, nil
}
