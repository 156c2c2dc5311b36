package actors

import (
	"container/heap"
	"strings"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// take dispatches a batch, or holds it while too many dashboards are awake. Held batches wait for a
// checkpoint, after which the idlest dashboards can be put to sleep. The credit bounds the number
// of held batches.
func (s *shard) take(b *batch) {
	if s.core.Stopping() {
		s.giveBack(b)
		return
	}
	s.held = append(s.held, b)
	s.resume()
}

// resume dispatches held batches while there is room for awake dashboards.
func (s *shard) resume() {
	for len(s.held) > 0 && s.core.MayDispatch() {
		if s.crowded() {
			s.core.Step(s.look(), core.Crowded{})
			return
		}
		b := s.held[0]
		s.held[0] = nil
		s.held = s.held[1:]
		s.dispatch(b)
	}
}

// giveBackHeld returns the held batches to the reader.
func (s *shard) giveBackHeld() {
	for _, b := range s.held {
		s.giveBack(b)
	}
	s.held = nil
}

// crowded reports whether the shard has to wait until dashboards are put to sleep. Dashboards that
// viewers hold open are never put to sleep: if there are no others, waiting would not help.
func (s *shard) crowded() bool {
	most := s.host.config.MaxAwakePerShard
	if s.awake < most {
		return false
	}
	s.evict(s.awake - most + most/16 + 1)
	return s.awake >= most && s.idle.count > 0
}

// dispatch sends the batch's records to their dashboards, one message each.
func (s *shard) dispatch(b *batch) {
	s.light = false
	var kinds [4]uint64
	unstamped := false
	for i := range b.items {
		it := &b.items[i]
		kinds[it.Kind&3]++
		unstamped = unstamped || it.Append == messages.Unstamped
		var e *entry
		if it.Key.Dashboard != "" {
			if e = s.entries[it.Key]; e == nil && !s.atHome(it.Key) {
				s.state.ObserveMisrouted(it.Record)
				s.forwardLater(&it.Record)
				continue
			}
		}
		at, err := s.state.Observe(it.Record)
		it.at = at
		if err != nil {
			s.warn("record", "a record of the log is not what it should be", "position", it.Position, "key", it.Key, "error", err)
		}
		if it.Key.Dashboard == "" || it.Kind == messages.KindTick || at.Repeated {
			continue
		}
		if (e == nil || e.report.version == 0) && !s.population.Admit(it.Key) {
			s.state.Refuse(it.Record, at, fold.RefusedDashboards)
			continue
		}
		if e == nil {
			e = s.entry(it.Key)
		}
		if e.report.version == 0 || it.Kind == messages.KindDefinition {
			it.program = s.state.Default(it.Key.Tenant)
		}
		b.add(e, int32(i))
	}
	s.known.full, s.known.largest = s.population.Full(), s.population.Largest()
	s.host.tallies.count(kinds)
	if s.phase() == phaseLoading {
		s.host.tallies.replayed.Add(uint64(len(b.items)))
	}
	s.core.Dispatch(s.look(), b.last(), unstamped)
	b.left.Store(int32(len(b.runs)))
	if len(b.runs) == 0 {
		s.complete(b)
	} else {
		for i := range b.runs {
			s.dispatchRun(&b.runs[i])
		}
	}
	s.advanceDue()
}

func (s *shard) dispatchRun(r *run) {
	e := r.entry
	e.run = nil
	r.logTime = s.state.LogTime()
	s.mark(e)
	s.touch(e)
	woken := s.wake(e)
	s.send(e, r)
	if woken {
		s.askAgain(e)
	}
}

// mark has the dashboard written with the next checkpoint.
func (s *shard) mark(e *entry) {
	if !e.dirty {
		e.dirty = true
		s.dirty = append(s.dirty, e)
	}
}

// becomeLive opens the shard to viewers. It sends the asks that came meanwhile. The dashboards
// answer after they have folded the records that are in their mailboxes already.
func (s *shard) becomeLive() {
	s.decide()
	s.host.starting() // takes note if this was the last of the first shards
	s.host.tallies.loaded(s.host.now() - s.began)
	for _, e := range s.entries {
		s.askAgain(e)
	}
}

// advanceDue applies the deadlines of awake dashboards that log time has reached: viewers wait for
// them, and the shard learns each dashboard's next deadline. The deadlines of sleeping dashboards
// are applied when these wake, with the same result.
func (s *shard) advanceDue() {
	logTime := s.state.LogTime()
	for e := s.deadlines.first(); e != nil && e.due <= logTime; e = s.deadlines.first() {
		heap.Pop(&s.deadlines)
		s.send(e, &advancing{turn{entry: e, logTime: logTime}})
	}
}

// complete takes the batch back from its dashboards and returns it to the reader.
func (s *shard) complete(b *batch) {
	for i := range b.runs {
		r := &b.runs[i]
		r.entry.busy.take(r)
		if r.entry.busy.full() {
			s.rest.join(&r.entry.busy)
		}
		s.learn(&r.turn)
	}
	s.progress.Add(1)
	if s.core.Fold(s.look(), b.last()) {
		s.attempt.fold(s.core.Folded())
	}
	s.known.logTime = s.state.LogTime()
	s.giveBack(b)
	s.advanceDue()
	s.resume()
}

func (s *shard) giveBack(b *batch) {
	s.inflight.Add(-1)
	s.credit <- b.reuse(4 * s.host.config.BatchBytes)
}

// acknowledge handles the return of a message other than a run.
func (s *shard) acknowledge(t *turn) {
	e := t.entry
	if t.report.deadline <= t.logTime {
		s.warn("deadline", "a deadline that has come stays", "dashboard", e.key.Label(), "deadline", t.report.deadline, "log_time", t.logTime)
		t.report.deadline = core.NoDeadline
	}
	s.learn(t)
	if e.report.version == 0 {
		for _, sub := range e.subs {
			s.tellEmpty(e, sub)
		}
		if e.inflight == 0 && e.pid != nil && !e.dirty && !e.saving {
			s.retire(e)
		}
	}
	s.advanceDue()
	s.resume()
}

// learn takes a report. The report of a run may come after that of a later message, since a batch
// returns as a whole.
func (s *shard) learn(t *turn) {
	e := t.entry
	e.inflight--
	if t.report.version >= e.report.version {
		e.report = t.report
	}
	if t.report.ahead {
		s.await(e)
	}
	if t.report.mended && !e.saving {
		s.mark(e)
	}
	s.deadlines.place(e)
}

// entry returns the dashboard's entry and creates it if necessary. The key may alias a batch.
func (s *shard) entry(k messages.Key) *entry {
	e := s.entries[k]
	if e == nil {
		k = messages.Key{Tenant: strings.Clone(k.Tenant), Dashboard: strings.Clone(k.Dashboard)}
		if k.Tenant == messages.DefaultTenant {
			k.Tenant = messages.DefaultTenant
		}
		e = &entry{key: k}
		e.report.deadline = core.NoDeadline
		s.entries[k] = e
	}
	return e
}
