package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// What sessions take from limits, and give back.

// holding is a part of a cap.
type holding struct {
	limit limits.Limit
	n     int64
}

// sessionHoldings are the caps that every session takes one of. Connections through a proxy are
// counted by the clients that it names, when they open a session.
var sessionHoldings = []limits.Limit{limits.ProcessSessions, limits.TenantSessions, limits.SubjectConnections, limits.AddressConnections}

func (c caller) holds(l limits.Limit) bool {
	return l != limits.AddressConnections || c.named.IsValid()
}

// holdSession takes what a session of the caller needs, all of it or nothing.
func (s *Server) holdSession(c caller) *wire.Error {
	l, by, k := s.cfg.Limits, c.by(), limits.Key{Tenant: c.home()}
	if c.named.IsValid() {
		if err := l.Take(limits.AddressConnects, &by, k, 1); err != nil {
			return err
		}
	}
	if err := l.Memory(); err != nil {
		return err
	}
	for i, limit := range sessionHoldings {
		if !c.holds(limit) {
			continue
		}
		if err := l.Hold(limit, &by, k, 1); err != nil {
			s.release(c, sessionHoldings[:i])
			return err
		}
	}
	return nil
}

func (s *Server) releaseSession(c caller) { s.release(c, sessionHoldings) }

func (s *Server) release(c caller, list []limits.Limit) {
	by, k := c.by(), limits.Key{Tenant: c.home()}
	for _, limit := range list {
		if c.holds(limit) {
			s.cfg.Limits.Release(limit, &by, k, 1)
		}
	}
}

// holdView takes what a subscription to a dashboard needs, all of it or nothing. cost is what its
// view takes.
func (s *Server) holdView(c caller, k messages.Key, cost int64) *wire.Error {
	l, by, at := s.cfg.Limits, c.by(), limits.Key(k)
	list := viewHoldings(cost)
	for i, h := range list {
		if err := l.Hold(h.limit, &by, at, h.n); err != nil {
			for _, h := range list[:i] {
				l.Release(h.limit, &by, at, h.n)
			}
			return err
		}
	}
	return nil
}

func (s *Server) releaseView(c caller, k messages.Key, cost int64) {
	by := c.by()
	for _, h := range viewHoldings(cost) {
		s.cfg.Limits.Release(h.limit, &by, limits.Key(k), h.n)
	}
}

func viewHoldings(cost int64) [3]holding {
	return [...]holding{{limits.SubjectSubscriptions, 1}, {limits.DashboardViewers, 1}, {limits.SubjectViewBytes, cost}}
}

// maxOver is how many messages in a row beyond subject-messages close a session.
const maxOver = 100

// tooMany returns an error if the client sends messages too fast. It closes the session if the
// client goes on.
func (s *session) tooMany() error {
	by := s.who().by()
	err := s.srv.cfg.Limits.Take(limits.SubjectMessages, &by, limits.Key{Tenant: s.who().home()}, 1)
	if err == nil {
		s.toomany = 0
		return nil
	}
	if s.toomany++; s.toomany >= maxOver {
		s.close(wire.CloseAbuse)
	}
	return err
}

// held reports whether updates have to wait, because the client was sent too many bytes a second.
// The session is woken when they may go on. The session's mu is held.
func (s *session) held() bool {
	by := s.who().by()
	wait := s.srv.cfg.Limits.Wait(limits.SubjectBytes, &by, limits.Key{Tenant: s.who().home()})
	if wait == 0 {
		return false
	}
	if s.pace == nil {
		s.srv.cfg.Limits.Count(limits.SubjectBytes)
		s.pace = time.AfterFunc(wait, s.goOn)
	}
	return true
}

// goOn ends the wait of held. While the session is not over its reader counts in the server's
// WaitGroup, so the writer that this may start is joined.
func (s *session) goOn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace = nil
	if !s.over {
		s.wake()
	}
}

// sent charges the bytes that the client was sent.
func (s *session) sent(n int64) {
	by := s.who().by()
	s.srv.cfg.Limits.Charge(limits.SubjectBytes, &by, limits.Key{Tenant: s.who().home()}, int(n))
}

// mayRead takes a reading or listing from the caller's messages, unless the caller was sent too
// many bytes.
func (s *Server) mayRead(by *limits.By, k limits.Key) error {
	if err := s.cfg.Limits.Check(limits.SubjectBytes, by, k, 1); err != nil {
		return err
	}
	if err := s.cfg.Limits.Take(limits.SubjectMessages, by, k, 1); err != nil {
		return err
	}
	return nil
}

// holdReading takes what a reading needs whose view takes cost bytes.
func (s *Server) holdReading(by *limits.By, k limits.Key, cost int64) error {
	l := s.cfg.Limits
	if err := s.mayRead(by, k); err != nil {
		return err
	}
	if err := l.Hold(limits.SubjectViewBytes, by, k, cost); err != nil {
		return err
	}
	if err := s.mirrors.budget.take(cost); err != nil {
		l.Release(limits.SubjectViewBytes, by, k, cost)
		return err
	}
	return nil
}

func (s *Server) releaseReading(by *limits.By, k limits.Key, cost int64) {
	s.mirrors.budget.give(cost)
	s.cfg.Limits.Release(limits.SubjectViewBytes, by, k, cost)
}

// roomOf asks whether a dashboard may get a record, within its tenant's limit of dashboards. first
// is how many others of its shard are about to get their first one.
func roomOf(ctx context.Context, room Room, l *limits.Limits, by *limits.By, k messages.Key, first, coming int) (bool, error) {
	most := l.MostOf(limits.TenantDashboards, by, limits.Key(k))
	isFirst, err := room(ctx, k, most-first, coming)
	if errors.Is(err, feed.ErrCrowded) {
		l.Count(limits.TenantDashboards)
		err = fmt.Errorf("limit %s is reached: %w", limits.TenantDashboards, err)
		if first > 0 {
			err = fmt.Errorf("%w, beside the %d that this request brings", err, first)
		}
	}
	return isFirst, err
}
