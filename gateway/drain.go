package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// drainSlot is the length of a slot: the sessions of one slot reconnect spread over it.
const drainSlot = time.Second

// drainTail is how long after its slot a session is closed. In this time its next connection is
// made.
const drainTail = time.Second

// turn is the end of one session in a drain.
type turn struct {
	ses *session
	at  time.Time
}

// Draining reports whether Drain was called: the gateway must be reported as not ready until
// Resume.
func (s *Server) Draining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Drain empties the gateway while other gateways are ready to take its sessions. The gateway is not
// ready from now on. After Sessions.DrainNotice it refuses new sessions (503, code 1300) and gives
// each session a slot in which to reconnect, at Sessions.DrainRate sessions a second. It serves all
// sessions meanwhile, and closes a session that has not left one second after its slot with 1012. A
// session of the plain dialect, which is told nothing, is closed in its slot.
//
// Drain returns nil when no session is left. If ctx has a deadline, the slots are made to fit
// before it. If ctx ends nevertheless, or Shutdown begins, the rest is left to Shutdown. Readings
// and events are served until then.
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

// Resume makes the gateway accept sessions again after a Drain that has returned, because the
// reason for draining is gone.
func (s *Server) Resume() {
	s.mu.Lock()
	if s.refusing && s.count == 0 {
		s.empty = make(chan struct{}) // the old one is closed
	}
	s.draining, s.refusing = false, false
	s.mu.Unlock()
	s.http.SetKeepAlivesEnabled(true)
}

// giveSlots refuses new sessions, tells every session its slot, and returns when each session ends,
// sorted by time.
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

// slotSize returns how many sessions a slot takes: as the rate says, or more if ctx ends earlier.
func (s *Server) slotSize(ctx context.Context, now time.Time) int {
	each := max(1, int(s.cfg.Sessions.DrainRate*drainSlot.Seconds()))
	if end, ok := ctx.Deadline(); ok {
		slots := max(1, int((end.Sub(now)-drainTail-closeGrace)/drainSlot))
		each = max(each, (s.count+slots-1)/slots)
	}
	return each
}

// merge joins two lists that are sorted by time.
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

// errStopped says that Shutdown began during the drain.
var errStopped = errors.New("the gateway stops")

// pass waits until the time at, or until empty closes. The error is that of ctx, or errStopped.
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

// leftover returns why a drain ended early. Shutdown continues where it ended, so errStopped
// becomes nil.
func (s *Server) leftover(err error) error {
	if errors.Is(err, errStopped) {
		return nil
	}
	return fmt.Errorf("drain: %d sessions are left: %w", s.Sessions(), err)
}

// drain tells the session its slot. The session is served until it is closed.
func (s *session) drain(f wire.Drain) {
	m := messageOf(f)
	s.mu.Lock()
	s.leaving = &m
	s.mu.Unlock()
	s.wake()
}
