package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// drainSlot is how wide a slot is: sessions of one slot come back spread over it.
const drainSlot = time.Second

// drainTail is how long after its slot a session is closed: what its next connection has to get
// there.
const drainTail = time.Second

// turn is one session's end in a drain.
type turn struct {
	ses *session
	at  time.Time
}

// Draining reports whether Drain has been called: the gateway is to be told not ready, and stays
// so.
func (s *Server) Draining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Drain empties the gateway while others stand ready to take its sessions. It is not ready from now
// on; after Sessions.DrainNotice it takes no new session (503, code 1300) and gives each session a
// slot to come back in, at Sessions.DrainRate sessions a second; it goes on serving all of them,
// and closes with 1012 who has not left one second after its slot. A session of the plain dialect,
// which is told nothing, is closed in its slot.
//
// Drain returns when no session is left; nil then. Where ctx has a deadline, the slots are made to
// fit before it; where ctx ends all the same, or Shutdown begins, the rest is left to Shutdown.
// Readings and events are served until then.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	again := s.draining
	s.draining = true
	s.mu.Unlock()
	if again {
		return errors.New("drain: this gateway drains already")
	}
	if err := s.pass(ctx, time.Now().Add(s.cfg.Sessions.DrainNotice), nil); err != nil {
		return s.leftover(err)
	}
	// readers and publishers find another gateway with their next request
	s.http.SetKeepAlivesEnabled(false)
	turns := s.giveSlots(ctx)
	for _, t := range turns {
		err := s.pass(ctx, t.at, s.empty)
		if err != nil {
			return s.leftover(err)
		}
		t.ses.close(wire.CloseRestart)
	}
	select { // each is cut closeGrace after its close, or by its write's deadline
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return s.leftover(ctx.Err())
	case <-s.ctx.Done():
		return nil
	}
}

// Resume takes sessions again after a Drain that has returned: what the gateway was emptied for is
// over.
func (s *Server) Resume() {
	s.mu.Lock()
	if s.refusing && s.count == 0 {
		s.empty = make(chan struct{}) // the old one is closed
	}
	s.draining, s.refusing = false, false
	s.mu.Unlock()
	s.http.SetKeepAlivesEnabled(true)
}

// giveSlots closes the door, tells every session its slot and gives their ends, in order of time.
func (s *Server) giveSlots(ctx context.Context) []turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = true
	if s.count == 0 {
		close(s.empty)
		return nil
	}
	now := time.Now()
	each := s.slotSize(ctx, now)
	turns := make([]turn, 0, s.count)
	var plain []turn
	for _, beat := range s.sessions {
		for ses := range beat {
			n := len(turns) + len(plain)
			after := time.Duration(n/each) * drainSlot
			if ses.receive == nil {
				within := drainSlot * time.Duration(n%each) / time.Duration(each)
				plain = append(plain, turn{ses, now.Add(after + within)})
				continue
			}
			ses.drain(wire.Drain{After: after.Milliseconds(), Within: drainSlot.Milliseconds()})
			turns = append(turns, turn{ses, now.Add(after + drainSlot + drainTail)})
		}
	}
	return merge(turns, plain)
}

// slotSize is how many sessions a slot takes: what the rate says, or more where ctx ends before.
func (s *Server) slotSize(ctx context.Context, now time.Time) int {
	each := max(1, int(s.cfg.Sessions.DrainRate*drainSlot.Seconds()))
	if end, ok := ctx.Deadline(); ok {
		slots := max(1, int((end.Sub(now)-drainTail-closeGrace)/drainSlot))
		each = max(each, (s.count+slots-1)/slots)
	}
	return each
}

// merge joins two lists that are each in order of time.
func merge(a, b []turn) []turn {
	out := make([]turn, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if b[0].at.Before(a[0].at) {
			a, b = b, a
		}
		out, a = append(out, a[0]), a[1:]
	}
	return append(append(out, a...), b...)
}

// errStopped says that Shutdown overtook the drain.
var errStopped = errors.New("the gateway stops")

// pass waits for a moment, or until nobody is left to wait for. An error is ctx's, or errStopped.
func (s *Server) pass(ctx context.Context, at time.Time, empty <-chan struct{}) error {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return errStopped
	}
}

// leftover says why a drain ended early. Shutdown goes on where it left off, which is no error.
func (s *Server) leftover(err error) error {
	if errors.Is(err, errStopped) {
		return nil
	}
	return fmt.Errorf("drain: %d sessions are left: %w", s.Sessions(), err)
}

// drain tells the session its slot; it is served until it is closed.
func (s *session) drain(f wire.Drain) {
	m := messageOf(f)
	s.mu.Lock()
	s.leaving = &m
	s.mu.Unlock()
	s.wake()
}
