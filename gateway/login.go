package gateway

import (
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

const (
	connectTime  = 5 * time.Second  // a session without token must bring one within it
	expiryNotice = 30 * time.Second // a session is told this long before its token expires
	// how often sessions are checked for tokens that expire: one may be served this much longer
	loginBeat = time.Second
)

// who returns the session's caller. It changes when a token comes.
func (s *session) who() caller { return *s.caller.Load() }

// become gives the session another caller, and sets the time at which login must look at it.
func (s *session) become(c caller) {
	s.caller.Store(&c)
	at := time.Time{}
	switch {
	case c.unknown:
		at = time.Now().Add(connectTime)
	case c.identity != nil:
		at = c.identity.Expires.Add(-expiryNotice)
	default:
		return
	}
	s.loginAt.Store(at.UnixMilli())
}

// login handles the client's first token.
func (s *session) login(f *wire.Connect) error {
	c := s.who()
	if !c.unknown {
		return nil // an earlier place had a token, or none is needed
	}
	id, err := s.srv.callers.verified(s.srv.ctx, f.Token)
	if f.Token == "" {
		err = wire.Errorf(wire.CodeUnauthorized, "connect: \"token\" is missing")
	}
	if err != nil {
		s.refuse(nil, err)
		s.close(closeOf(err))
		return nil
	}
	if c, err = c.as(id); err != nil {
		return err
	}
	// it has no subscription yet, so only the session itself is counted anew
	if err := s.srv.holdSession(c); err != nil {
		return err
	}
	s.srv.releaseSession(s.admitted)
	s.admitted = c
	s.become(c)
	s.send(s.srv.connected(c))
	return nil
}

// refresh replaces the session's token, and ends the subscriptions that the new one does not allow.
// A bad token changes nothing.
func (s *session) refresh(f *wire.Refresh) error {
	c := s.who()
	if c.identity == nil {
		return wire.Errorf(wire.CodeNotAvailable, "this connection has no token")
	}
	id, err := s.srv.callers.verified(s.srv.ctx, f.Token)
	if err != nil {
		return err
	}
	if c, err = c.as(id); err != nil {
		return err
	}
	s.become(c)
	s.mu.Lock()
	subs := append([]*subscription(nil), s.subs...)
	s.mu.Unlock()
	revoked := []string{}
	for _, sub := range subs {
		sub.m.mu.Lock()
		err := sub.allowed()
		sub.m.mu.Unlock()
		if err != nil {
			revoked = append(revoked, sub.viewID().String())
			s.drop(sub)
		}
	}
	s.send(wire.Refreshed{ID: f.ID, Expires: secondsTo(id.Expires), Revoked: revoked})
	return nil
}

// allowed returns nil if the session's caller may see the mirror as it is now. The mirror's mu is
// held. It is asked at a break of the history and when the caller changes.
func (s *subscription) allowed() error {
	c := s.s.who()
	if err := c.may(read, s.m.key); err != nil {
		return err
	}
	if err := c.maySee(s.m.schema); err != nil {
		return err
	}
	return c.mayFind(s.m.epoch == 0)
}

// loginDue closes a session whose token was revoked. It handles one whose loginAt has come: it
// tells it that its token expires, or closes it.
func (s *session) loginDue(now time.Time) {
	c := s.who()
	if c.identity != nil && s.srv.callers.isRevoked(c.identity) {
		s.close(wire.CloseUnauthorized)
		return
	}
	at := s.loginAt.Load()
	if at == 0 || now.UnixMilli() < at {
		return
	}
	if c.unknown || c.valid(now) != nil {
		s.loginAt.CompareAndSwap(at, 0)
		s.close(wire.CloseUnauthorized)
		return
	}
	// a refresh at this moment sets another time, and must not lose it
	if c.identity == nil || !s.loginAt.CompareAndSwap(at, c.identity.Expires.UnixMilli()) || s.receive == nil {
		return
	}
	m := messageOf(wire.Expiring{State: wire.StateExpiring, After: max(0, c.identity.Expires.Sub(now).Milliseconds())})
	s.mu.Lock()
	s.expiring = &m
	s.mu.Unlock()
	s.wake()
}

// closeOf returns the close code after which a client comes back if the error is the gateway's.
func closeOf(err error) wire.CloseCode {
	if asError(err).Code == wire.CodeStarting {
		return wire.CloseRestart
	}
	return wire.CloseUnauthorized
}

// loginsDue checks the tokens of all sessions.
func (s *Server) loginsDue(now time.Time) {
	s.callers.tickets.sweep(now)
	s.eachSession(func(ses *session) { ses.loginDue(now) })
}

// EndTokens closes all sessions that have a token, so that their clients connect elsewhere: this
// gateway has been cut off for so long that their tokens may have been revoked.
func (s *Server) EndTokens() {
	s.eachSession(func(ses *session) {
		if ses.who().identity != nil {
			ses.close(wire.CloseRestart)
		}
	})
}

func (s *Server) eachSession(do func(*session)) {
	for slot := range s.sessions {
		for _, ses := range s.inSlot(slot) {
			do(ses)
		}
	}
}
