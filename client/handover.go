package client

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// handover is a subscription's way from a server that drains to the next: it waits for its slot and
// opens a connection beside the one that serves. Its goroutine ends with that; end joins it.
type handover struct {
	slot   time.Time
	result chan opening // has room for the one result
	conn   *connection  // opened, and asked for the view
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// opening is what came of an attempt.
type opening struct {
	conn *connection
	err  error
}

// handOver begins a handover in the slot that f gives, anywhere in [after, after+within).
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

// opened is the channel of the result, or one that never speaks.
func (h *handover) opened() <-chan opening {
	if h == nil {
		return nil
	}
	return h.result
}

// read is the channel of frames of the new connection, or one that never speaks.
func (h *handover) read() <-chan wire.Frame {
	if h == nil {
		return nil
	}
	return h.conn.read()
}

// end gives the handover up, closes what it has opened and joins its goroutine. A nil one is over
// already.
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

// drained is told that the server drains.
func (s *Subscription) drained(f *wire.Drain) {
	if s.next != nil && s.next.conn != nil {
		return // under way already
	}
	s.next.end()
	s.next = s.client.handOver(f, s.turn)
	s.turn++
}

// opened is told what came of the handover's attempt. Where it failed, the connection that serves
// goes on until the server closes it.
func (s *Subscription) opened(ctx context.Context, o opening) (SubscriptionEvent, error) {
	conn, err := o.conn, o.err
	if err == nil {
		err = s.ask(conn)
	}
	s.next.cancel()
	switch {
	case err == nil && s.conn != nil:
		s.next.conn = conn
	case err == nil: // the old one has ended meanwhile
		s.conn, s.next = conn, nil
	default:
		s.next = nil
		if s.conn == nil {
			return s.lost(ctx, err)
		}
	}
	return nil, nil
}

// takeOver is told what the new connection said first. Both speak of the same place: what both
// bring is applied once.
func (s *Subscription) takeOver(ctx context.Context, f wire.Frame) (SubscriptionEvent, error) {
	switch f.(type) {
	case *wire.Subscribed, *wire.Update, *wire.Gap:
		s.conn.close()
		s.conn, s.next = s.next.conn, nil
		return s.take(ctx, s.conn, f)
	case *wire.ErrorFrame, *wire.Drain: // no better than the old one
		s.next.end()
		s.next = nil
	}
	return nil, nil
}
