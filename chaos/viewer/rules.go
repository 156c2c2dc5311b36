package viewer

import (
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// take handles one frame and reports whether it is a subscription's first answer.
func (c *connection) take(f wire.Frame) (answered bool) {
	v := c.viewer
	v.mu.Lock()
	defer v.mu.Unlock()
	switch f := f.(type) {
	case *wire.Subscribed:
		return c.subscribed(f)
	case *wire.Update:
		c.update(f)
	case *wire.Gap:
		if s := c.of(f.View, "gap"); s != nil {
			v.counts.Gaps[f.Why]++
			s.empty()
		}
	case *wire.Status:
		if s := c.of(f.View, "status"); s != nil {
			v.counts.Statuses[f.State]++
			s.state = f.State
		}
	case *wire.ErrorFrame:
		if !f.Retry {
			v.problem("error %d: %s", f.Code, f.Message)
		}
		c.ws.Close() // the viewer reconnects
	}
	return false
}

// of returns the subscription of a view. It returns nil and records a problem if there is none.
func (c *connection) of(view, what string) *subscription {
	id, err := messages.ParseView(view)
	if s := c.views[id]; err == nil && s != nil {
		return s
	}
	c.viewer.problem("%s for view %s, which has no subscription", what, view)
	return nil
}

// empty notes that the held cells are void until an update from 0 comes.
func (s *subscription) empty() {
	s.void = true
	s.watched.voidBy = s
	s.view.Gap()
}

func (c *connection) subscribed(f *wire.Subscribed) (answered bool) {
	v := c.viewer
	var s *subscription
	if f.ID != nil {
		s = c.byID[*f.ID]
	} else {
		if s = c.of(f.Was, "subscribed was"); s == nil {
			return false
		}
		delete(c.views, s.id)
	}
	if s == nil {
		v.problem("subscribed with id %d, which was not asked for", *f.ID)
		return false
	}
	id, err := messages.ParseView(f.View)
	if err != nil {
		v.problem("%s: subscribed: %v", s.dashboard, err)
		return false
	}
	s.id, c.views[id] = id, s
	s.state = wire.StateLive // until a status frame changes it
	switch {
	case f.Resumed && s.since == nil:
		v.problem("%s: resumed, though no place was given", s.dashboard)
	case f.Resumed && s.since.View != f.View:
		v.problem("%s: resumed from view %s as view %s", s.dashboard, s.since.View, f.View)
	case f.Resumed:
		v.counts.Resumed++
		s.to = s.since.Version
		s.epoch, _ = messages.ParseEpoch(s.since.Epoch)
	case s.since != nil && f.ID != nil:
		v.counts.Fresh++
	}
	if !f.Resumed {
		s.empty()
	}
	if err := s.view.Subscribed(f); err != nil {
		v.problem("%s: %v", s.dashboard, err)
	}
	first := !s.answered
	s.answered = true
	return first && f.ID != nil
}

// update checks an update against the rules of its connection, then applies it to the viewer's
// cells.
func (c *connection) update(u *wire.Update) {
	v, s := c.viewer, c.views[u.View]
	if s == nil {
		v.problem("update for view %s, which has no subscription", u.View)
		return
	}
	at := s.view.Place()
	switch {
	case u.To < u.From:
		v.problem("%s: an update goes back from %d to %d", s.dashboard, u.From, u.To)
	case u.From == 0: // a snapshot
	case s.void:
		v.problem("%s: an update from %d where only one from 0 may come", s.dashboard, u.From)
	case u.Epoch != s.epoch:
		v.problem("%s: an update from %d to %d of epoch %s in epoch %s", s.dashboard, u.From, u.To, u.Epoch, s.epoch)
	case u.From > s.to:
		v.problem("%s: an update from %d follows one to %d", s.dashboard, u.From, s.to)
	case u.To < s.to:
		v.problem("%s: an update to %d follows one to %d", s.dashboard, u.To, s.to)
	}
	if u.From == 0 && s.answered && !s.void && u.Epoch == s.epoch && u.To < s.to {
		v.problem("%s: a snapshot of %d follows an update to %d", s.dashboard, u.To, s.to)
	}
	s.epoch, s.to = u.Epoch, u.To
	if u.From == 0 {
		s.void = false
	}
	if other := s.watched.voidBy; other != nil && other != s {
		return // the connection that takes over starts with snapshots
	}
	if u.From == 0 {
		s.watched.voidBy = nil
		if u.Epoch == at.Epoch && u.To < at.Version {
			v.problem("%s: version went back from %d to %d within epoch %s", s.dashboard, at.Version, u.To, u.Epoch)
		}
	}
	v.apply(s, u)
}

func (v *Viewer) apply(s *subscription, u *wire.Update) {
	changed, err := s.view.Apply(u)
	if err != nil {
		v.problem("%s: %v", s.dashboard, err)
		return
	}
	if !changed {
		return
	}
	now := time.Now()
	v.counts.Updates++
	s.pause, s.last, s.moved = max(s.pause, now.Sub(s.last)), now, true
	if v.config.Record {
		v.record(s, u)
	}
	if v.config.Updated != nil {
		v.config.Updated(s.dashboard, now, u)
	}
}

// record keeps what the version looks like. The same version must always look the same.
func (v *Viewer) record(s *subscription, u *wire.Update) {
	p := &s.picture
	if u.From == 0 {
		p.clear()
		for _, c := range s.view.Cells() {
			p.put(&c)
		}
	} else {
		for _, n := range u.Removed {
			p.remove(n)
		}
		for _, c := range u.Cells {
			if held, ok := s.view.Cell(c.Number); ok {
				p.put(held)
			}
		}
	}
	place := s.view.Place()
	if was, ok := s.seen[place]; ok && was != p.sum {
		v.problem("%s: %s does not look as it did before", s.dashboard, place)
	}
	if v.seen++; v.seen > maxSeen {
		v.problem("more than %d versions were seen", maxSeen)
		return
	}
	s.seen[place] = p.sum
}
