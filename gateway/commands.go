package gateway

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// maxBad is how many bad messages in a row close a session.
const maxBad = 10

// request handles a client's message.
func (s *session) request(kind messageKind, b []byte) {
	if kind != textMessage {
		s.refuse(nil, wire.Errorf(wire.CodeBadMessage, "a binary message, where JSON is spoken"))
		return
	}
	f, id, err := wire.ParseRequest(b)
	if over := s.tooMany(); over != nil {
		err = over
	}
	if err == nil {
		s.bad = 0
		err = s.command(f)
	}
	if err != nil {
		s.refuse(id, err)
	}
}

func (s *session) command(f wire.Frame) error {
	if connect, ok := f.(*wire.Connect); ok {
		return s.login(connect)
	}
	if c := s.who(); c.unknown {
		return c.may(read, messages.Key{})
	}
	switch f := f.(type) {
	case *wire.Subscribe:
		return s.subscribe(f)
	case *wire.Set:
		return s.set(f)
	case *wire.Ack:
		return s.ack(f)
	case *wire.Unsubscribe:
		return s.unsubscribe(f)
	case *wire.Ping:
		s.send(wire.Pong{ID: f.ID})
		return nil
	case *wire.Refresh:
		return s.refresh(f)
	}
	return wire.Errorf(wire.CodeBadMessage, "message type is not known")
}

// refuse answers with an error. The tenth bad message in a row closes the session.
func (s *session) refuse(id *int64, err error) {
	e := asError(err)
	s.srv.stats.errors.WithLabelValues(e.Code.Entry().Word).Inc()
	s.send(wire.ErrorFrame{ID: id, Error: *e})
	if e.Code != wire.CodeBadMessage {
		s.bad = 0
		return
	}
	if s.bad++; s.bad >= maxBad {
		s.close(wire.CloseBadProtocol)
	}
}

func (s *session) subscribe(f *wire.Subscribe) error {
	k, err := s.who().key(f.Tenant, f.Dashboard, read)
	if err != nil {
		return err
	}
	rate, err := s.srv.rate(f.MaxRate)
	if err != nil {
		return err
	}
	since, err := placeOf(f.Since)
	if err != nil {
		return err
	}
	if f.Panels != nil && len(f.Panels) == 0 {
		return wire.Errorf(wire.CodeBadField, "panels is empty: leave it out for all of them")
	}
	if f.Groups != nil && len(f.Groups) == 0 {
		return wire.Errorf(wire.CodeBadField, "groups is empty: leave it out for all of them")
	}
	w, err := wantOf(f.Panels, f.Groups)
	if err != nil {
		return err
	}
	sub := &subscription{s: s, cost: w.cost()}
	if !s.watches(k) { // otherwise it may replace a subscription, and take over what that holds
		if err := s.hold(sub, k, nil); err != nil {
			return err
		}
	}
	if sub.m, err = s.srv.mirrors.acquire(s.srv.ctx, k); err != nil {
		sub.giveBack(k)
		return err
	}
	if err := s.subscribeTo(sub, f, w, rate, since); err != nil {
		sub.giveBack(k)
		s.srv.mirrors.release(sub.m)
		return err
	}
	sub.m.recheck() // a place ahead of the mirror has a deadline
	return nil
}

// hold takes what a subscription needs from limits. It takes over what the one holds that it
// replaces; nil: none. giveBack gives it back.
func (s *session) hold(sub *subscription, k messages.Key, old *subscription) error {
	n, bytes := s.spent()
	if old != nil {
		n, bytes = n-1, bytes-old.cost
	}
	l, by := s.srv.cfg.Limits, s.admitted.by()
	if most := l.Most(limits.SessionSubscriptions); float64(n+1) > most {
		return l.Refuse(limits.SessionSubscriptions, &by, most)
	}
	if err := s.srv.mirrors.budget.session(bytes, sub.cost); err != nil {
		return err
	}
	if old != nil && old.cost == sub.cost && old.holds.Swap(false) {
		sub.holds.Store(true)
		return nil
	}
	if err := s.srv.holdView(s.admitted, k, sub.cost); err != nil {
		return err
	}
	sub.holds.Store(true)
	return nil
}

// watches reports whether the session has a subscription to the dashboard.
func (s *session) watches(k messages.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.subs, func(sub *subscription) bool { return sub.m.key == k })
}

// subscribeTo makes the subscription to a mirror that the caller holds. It replaces one of the same
// view.
func (s *session) subscribeTo(sub *subscription, f *wire.Subscribe, w want, rate float64, since *messages.Place) error {
	m := sub.m
	m.mu.Lock()
	if err := sub.allowed(); err != nil {
		m.mu.Unlock()
		return err
	}
	p, err := wire.Project(m.key, m.schema, w.panels, w.groups)
	m.mu.Unlock()
	if err != nil {
		return err
	}
	old := s.subscribed(p.View)
	if !sub.holds.Load() {
		if err := s.hold(sub, m.key, old); err != nil {
			return err
		}
	}
	m.mu.Lock()
	c, err := m.join(cohortKey{w.key(), rate, protocol{}}, w)
	if err != nil {
		m.mu.Unlock()
		return err
	}
	sub.view.Store(uint64(c.proj.View))
	resumed := sub.resume(since, time.Now())
	sub.enter(c)
	answer := sub.subscribed(f.ID, resumed)
	m.mu.Unlock()
	s.srv.mirrors.count(m, 1)
	if old != nil {
		s.drop(old)
	}
	s.add(answer, sub)
	return nil
}

// add queues the answer, followed by the subscription's first update.
func (s *session) add(answer wire.Frame, sub *subscription) {
	sub.dirty.Store(true)
	s.sendWith(answer, func() { s.subs = append(s.subs, sub) })
}

// spent returns the number of subscriptions and the cost of their views.
func (s *session) spent() (n int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		bytes += sub.cost
	}
	return len(s.subs), bytes
}

// drop ends a subscription, unless it has ended: the writer drops a subscription that a new
// definition refuses.
func (s *session) drop(sub *subscription) {
	s.mu.Lock()
	n := len(s.subs)
	s.subs = slices.DeleteFunc(s.subs, func(o *subscription) bool { return o == sub })
	found := len(s.subs) < n
	s.mu.Unlock()
	if found {
		sub.end(s.srv.mirrors)
	}
}

func (s *session) set(f *wire.Set) error {
	sub, err := s.find(f.View)
	if err != nil {
		return err
	}
	if f.MaxRate == nil {
		return wire.Errorf(wire.CodeBadField, "set: \"maxRate\" is missing")
	}
	rate, err := s.srv.rate(*f.MaxRate)
	if err != nil {
		return err
	}
	sub.m.mu.Lock()
	if sub.cohort == nil {
		sub.m.mu.Unlock()
		return notSubscribed(f.View)
	}
	k := sub.cohort.key
	k.rate = rate
	c, err := sub.m.join(k, sub.cohort.want)
	if err != nil {
		sub.m.mu.Unlock()
		return err
	}
	sub.enter(c)
	answer := sub.subscribed(f.ID, true)
	sub.m.mu.Unlock()
	s.send(answer)
	sub.wake()
	return nil
}

func (s *session) ack(f *wire.Ack) error {
	for view, version := range f.Views {
		sub, err := s.find(view)
		if err != nil {
			continue // its answer may have crossed an unsubscribe or a new definition
		}
		sub.ack(version)
	}
	return nil
}

func (s *session) unsubscribe(f *wire.Unsubscribe) error {
	sub, err := s.find(f.View)
	if err != nil {
		return err
	}
	s.drop(sub)
	s.send(wire.Unsubscribed{ID: f.ID, View: f.View})
	return nil
}

func (s *session) find(view string) (*subscription, error) {
	v, err := messages.ParseView(view)
	if err != nil {
		return nil, wire.Errorf(wire.CodeBadField, "%v", err)
	}
	if sub := s.subscribed(v); sub != nil {
		return sub, nil
	}
	return nil, notSubscribed(view)
}

func notSubscribed(view string) error {
	return wire.Errorf(wire.CodeBadField, "view %s is not subscribed", view)
}

// placeOf parses a place from its JSON form.
func placeOf(p *wire.Place) (*messages.Place, error) {
	if p == nil {
		return nil, nil
	}
	out := messages.Place{Version: p.Version}
	var err error
	if out.Epoch, err = messages.ParseEpoch(p.Epoch); err == nil && p.View != "" {
		out.View, err = messages.ParseView(p.View)
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeBadOption, "since: %v", err)
	}
	return &out, nil
}

// key returns the canonical form of a want: equal ones get the same bytes.
func (w want) key() string {
	if w.panels == nil && w.groups == nil {
		return ""
	}
	panels := slices.Compact(slices.Sorted(slices.Values(w.panels)))
	groups := make([]string, 0, len(w.groups))
	for _, t := range w.groups {
		groups = append(groups, string(t.Group()))
	}
	slices.SortFunc(groups, cmp.Compare[string])
	b, err := json.Marshal([]any{w.panels != nil, panels, w.groups != nil, bytesOf(slices.Compact(groups))})
	if err != nil {
		// it contains strings only
		panic(errors.Join(errors.New("gateway: a want does not marshal"), err))
	}
	return string(b)
}

// bytesOf protects canonical groups, which are not UTF-8, from changes by JSON.
func bytesOf(groups []string) (out [][]byte) {
	for _, g := range groups {
		out = append(out, []byte(g))
	}
	return out
}
