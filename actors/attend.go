package actors

import (
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// subscribe adds a viewer. This wakes no dashboard: the first ask does.
func (s *shard) subscribe(sub *subscription) {
	e := s.entry(sub.key)
	e.subs = append(e.subs, sub)
	sub.open = true
	s.idle.remove(e)
}

func (s *shard) unsubscribe(sub *subscription) {
	e := s.entries[sub.key]
	if !sub.open || e == nil {
		return
	}
	sub.open = false
	e.subs = slices.DeleteFunc(e.subs, func(o *subscription) bool { return o == sub })
	if len(e.subs) > 0 {
		return
	}
	e.subs = nil
	delete(s.ahead, e)
	if e.pid == nil {
		s.drop(e)
		return
	}
	s.touch(e)
}

// ask passes an ask on to the dashboard and wakes it. While the shard loads the ask waits, because
// the loading state is older than what viewers have seen.
func (s *shard) ask(m *asking) {
	sub := m.sub
	if !sub.open {
		return
	}
	sub.pending = m.ask
	if !s.core.Loaded() || s.phase() == phaseLoading {
		return
	}
	e := s.entries[sub.key]
	if e.unborn {
		s.tellEmpty(e, sub)
		return
	}
	s.wake(e)
	m.turn = turn{entry: e, logTime: s.state.LogTime()}
	s.send(e, m)
}

// askAgain passes on the asks that wait at a dashboard, because it has just got an actor or because
// the shard has become live.
func (s *shard) askAgain(e *entry) {
	for _, sub := range e.subs {
		if sub.pending.number != 0 && sub.waits(sub.pending) {
			s.ask(&asking{sub: sub, ask: sub.pending})
		}
	}
}

// tellEmpty answers an ask to a dashboard without records: once, and again to a viewer who comes
// with a version of another epoch.
func (s *shard) tellEmpty(e *entry, sub *subscription) {
	a := sub.pending
	if a.number == 0 || sub.toldEmpty && a.Epoch == 0 && a.Version == 0 {
		return
	}
	if a.Position.After(s.core.Position()) && !s.waitedEnough(e) {
		s.await(e) // its first record is still to come
		return
	}
	sub.toldEmpty = true
	sub.deliver(a, emptyUpdate(sub.key, s.state.Default(sub.key.Tenant)))
}

// emptyUpdate returns the update of a dashboard without records: epoch 0, version 0, and the schema
// of its cells.
func emptyUpdate(k messages.Key, p *fold.Program) *feed.Update {
	return &feed.Update{Key: k, Watermark: messages.NoTime, Schema: p.Schema(), Metrics: p.MetricsPanel()}
}

// read passes a reading on to its dashboard.
func (s *shard) read(m *reading) {
	m.fallback = s.state.Default(m.key.Tenant)
	e := s.entries[m.key]
	if full := s.population.Room(m.key); full != nil && (e == nil || e.report.version == 0) {
		m.reply <- m.crowded(full)
		return
	}
	if e != nil && e.unborn {
		m.reply <- m.empty()
		return
	}
	e = s.entry(m.key)
	s.wake(e)
	s.touch(e)
	m.turn = turn{entry: e, logTime: s.state.LogTime()}
	s.send(e, m)
}

// list returns the tenant's awake dashboards whose names begin with prefix and come after the name
// after, at most limit, sorted by name.
func (s *shard) list(tenant, prefix, after string, limit int) []feed.Summary {
	var all []feed.Summary
	for k, e := range s.entries {
		if e.report.version == 0 || k.Tenant != tenant || k.Dashboard <= after || !strings.HasPrefix(k.Dashboard, prefix) {
			continue
		}
		all = append(all, summarise(k, e.report))
	}
	slices.SortFunc(all, bySummaryKey)
	return all[:min(len(all), limit)]
}
