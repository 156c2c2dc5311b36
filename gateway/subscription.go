package gateway

import (
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// patience is how long a place ahead of the mirror is waited for.
const patience = 5 * time.Second

// maxUnacked is how many updates go out beyond a view's last ack, once it has acked.
const maxUnacked = 16

// subscription is one session's interest in one view: a cursor. What is not atomic is guarded by
// the mirror's mu.
type subscription struct {
	s     *session
	m     *mirror
	cost  int64         // of the view, to its session
	dirty atomic.Bool   // there may be something to send
	view  atomic.Uint64 // what the client was told last

	cohort   *cohort // nil: ended
	held     bool    // the client holds (epoch, version) of view
	epoch    messages.Epoch
	version  uint64
	patience time.Time // until when a version beyond the mirror's is waited for
	gap      string    // a gap to be told before the next update; "": none
	refused  bool      // it was told that it ends; the writer's
	told     string    // state that the last status said; "": none yet, which is live
	credit   bool
	unacked  int
}

// wake marks the subscription and has its session's writer look at it.
func (s *subscription) wake() {
	s.dirty.Store(true)
	s.s.wake()
}

// resume decides what the client's place is worth. It is called once, before the subscription is in
// its cohort.
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

// next is what is to be sent now: notices, and an update behind them; nil where there is none.
func (s *subscription) next(now time.Time) ([]message, *frame) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.cohort == nil {
		return nil, nil
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

// refuse ends the subscription as a subscribe would be refused now. The mirror's mu is held.
func (s *subscription) refuse() []message {
	f := wire.ErrorFrame{View: messages.View(s.view.Load()).String(), Error: *asError(s.cohort.lacks)}
	s.leave()
	s.refused = true
	return []message{messageOf(f)}
}

// changes are the notices of the protocol: what is not as the client was told last, of its view,
// its place and its state. wait is true where no update may follow yet.
func (s *subscription) changes(now time.Time) (out []message, wait bool) {
	view := s.cohort.proj.View
	version := s.m.set.Version()
	switch {
	case messages.View(s.view.Load()) != view: // the definition has changed
		was := messages.View(s.view.Swap(uint64(view)))
		s.held, s.gap = false, ""
		f := s.subscribed(nil, false)
		// else a client with several views of the dashboard could not tell which this is
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

// subscribed is the answer to a subscribe or set. The mirror's mu is held.
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

// enter puts the subscription into a cohort, taking it out of the one it was in. The mirror's mu is
// held.
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

// ack takes the client's word on how far it has come.
func (s *subscription) ack(version uint64) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.credit = true
	if version >= s.version {
		s.unacked = 0
		s.wake()
	}
}

// end takes the subscription out of everything.
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
	ms.count(s.m, -1)
	ms.release(s.m)
}
