package gateway

import (
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// patience is how long a subscription waits for a place ahead of the mirror.
const patience = 5 * time.Second

// maxUnacked is how many updates are sent beyond a view's last ack, once it has acked.
const maxUnacked = 16

// subscription is one session's interest in one view: a cursor. The mirror's mu guards the fields
// that are not atomic.
type subscription struct {
	s     *session
	m     *mirror
	cost  int64         // cost of the view to its session
	holds atomic.Bool   // it holds a part of its subject's and dashboard's limits
	dirty atomic.Bool   // there may be something to send
	view  atomic.Uint64 // the view that the client was last told

	cohort   *cohort // nil: ended
	held     bool    // the client holds (epoch, version) of view
	epoch    messages.Epoch
	version  uint64
	patience time.Time      // until when to wait for a version beyond the mirror's
	judged   messages.Epoch // the epoch in which allowed was asked
	gap      string         // reason of a gap to send before the next update; "": none
	refused  bool           // the client was told that it ends; used by the writer
	told     string         // state in the last status; "": none sent, which means live
	credit   bool
	unacked  int
}

// viewID returns the view that the client was last told.
func (s *subscription) viewID() messages.View { return messages.View(s.view.Load()) }

// wake marks the subscription and wakes its session's writer.
func (s *subscription) wake() {
	s.dirty.Store(true)
	s.s.wake()
}

// resume decides whether the client can continue from its place. Call it once, before the
// subscription enters its cohort.
func (s *subscription) resume(since *messages.Place, now time.Time) (resumed bool) {
	v := messages.View(s.view.Load())
	if since == nil || since.Version == 0 || since.Epoch != s.m.epoch || since.View != 0 && since.View != v {
		return false
	}
	if since.Version < s.m.set.Floor() {
		s.gap = wire.WhyRetention
		return false
	}
	s.held, s.epoch, s.version = true, since.Epoch, since.Version
	if s.version > s.m.set.Version() {
		s.patience = now.Add(patience)
		s.m.ahead = append(s.m.ahead, s)
	}
	return true
}

// next returns what to send now: notices, followed by an update; nil if there is none.
func (s *subscription) next(now time.Time) ([]message, *frame) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.cohort == nil {
		return nil, nil
	}
	if s.judged != s.m.epoch { // a break of the history: what may be seen can have changed
		if err := s.allowed(); err != nil {
			return s.refuse(err), nil
		}
		s.judged = s.m.epoch
	}
	out, wait := s.cohort.key.dialect.notices(s, now)
	if wait {
		return out, nil
	}
	at := uint64(0)
	if s.held {
		if at = s.version; at >= s.m.set.Version() {
			return out, nil
		}
	}
	f := s.cohort.frame(at, !s.held)
	s.held, s.epoch, s.version = true, s.m.epoch, f.to
	s.m.stats.frames.Inc()
	if s.credit {
		s.unacked++
	}
	return out, f
}

// refuse ends the subscription with the error that a subscribe would get now. The mirror's mu is
// held.
func (s *subscription) refuse(err error) []message {
	if s.s.receive == nil { // it can't be told
		s.leave()
		s.refused = true
		s.s.close(wire.CloseForbidden)
		return nil
	}
	f := wire.ErrorFrame{View: messages.View(s.view.Load()).String(), Error: *asError(err)}
	s.leave()
	s.refused = true
	return []message{messageOf(f)}
}

// changes returns the notices of the protocol: what has changed since the client was last told,
// about its view, its place and its state. wait is true if no update may follow yet.
func (s *subscription) changes(now time.Time) (out []message, wait bool) {
	view := s.cohort.proj.View
	version := s.m.set.Version()
	switch {
	case messages.View(s.view.Load()) != view: // the definition has changed
		was := messages.View(s.view.Swap(uint64(view)))
		s.held, s.gap = false, ""
		f := s.subscribed(nil, false)
		// otherwise a client with several views of the dashboard could not tell which one this is
		f.Was = was.String()
		out = append(out, messageOf(f))
	case s.held && s.epoch != s.m.epoch:
		s.held, s.gap = false, wire.WhyEpoch
	case s.held && s.version > version:
		if now.Before(s.patience) {
			return nil, true
		}
		s.held, s.gap = false, wire.WhyAhead
	case s.held && s.version != 0 && s.version < s.m.set.Floor():
		s.held, s.gap = false, wire.WhyRetention
	}
	if s.gap != "" {
		out = append(out, messageOf(wire.Gap{View: view.String(), Why: s.gap}))
		s.gap = ""
	}
	if s.told != s.m.state && (s.told != "" || s.m.state != wire.StateLive) {
		s.told = s.m.state
		out = append(out, messageOf(s.m.status(view)))
	}
	return out, s.credit && s.unacked >= maxUnacked && s.held
}

// subscribed returns the answer to a subscribe or set. The mirror's mu is held.
func (s *subscription) subscribed(id *int64, resumed bool) wire.Subscribed {
	f := wire.Subscribed{
		ID: id, Dashboard: s.m.key.Dashboard, View: messages.View(s.view.Load()).String(),
		Rate: s.cohort.key.rate, Resumed: resumed, Schema: s.cohort.proj.Schema,
	}
	if s.m.key.Tenant != messages.DefaultTenant {
		f.Tenant = s.m.key.Tenant
	}
	return f
}

// enter moves the subscription into a cohort, out of its previous one. The mirror's mu is held.
func (s *subscription) enter(c *cohort) {
	if c == s.cohort {
		return
	}
	s.leave()
	s.cohort = c
	c.subs[s] = struct{}{}
}

func (s *subscription) leave() {
	if s.cohort == nil {
		return
	}
	delete(s.cohort.subs, s)
	if len(s.cohort.subs) == 0 {
		delete(s.m.cohorts, s.cohort.key)
		s.cohort.drop()
		s.m.budget.give(s.cohort.want.cost())
	}
	s.cohort = nil
}

// ack records the version that the client has acknowledged.
func (s *subscription) ack(version uint64) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.credit = true
	if version >= s.version {
		s.unacked = 0
		s.wake()
	}
}

// end removes the subscription from its cohort and its mirror.
func (s *subscription) end(ms *mirrors) {
	s.m.mu.Lock()
	s.leave()
	for i, a := range s.m.ahead {
		if a == s {
			s.m.ahead[i] = s.m.ahead[len(s.m.ahead)-1]
			s.m.ahead = s.m.ahead[:len(s.m.ahead)-1]
			break
		}
	}
	s.m.mu.Unlock()
	s.giveBack(s.m.key)
	ms.count(s.m, -1)
	ms.release(s.m)
}

// giveBack gives back what the subscription has of limits, once.
func (s *subscription) giveBack(k messages.Key) {
	if s.holds.Swap(false) {
		s.s.srv.releaseView(s.s.admitted, k, s.cost)
	}
}
