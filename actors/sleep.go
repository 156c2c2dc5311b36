package actors

import (
	"maps"
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/dashfeed/dashfeed/messages"
)

// wake gives the entry an actor, which loads its dashboard with its first message. It returns false
// if the entry had an actor already.
func (s *shard) wake(e *entry) bool {
	if e.pid != nil {
		return false
	}
	s.born = e.key
	s.actors.Add(1)
	e.pid = s.host.root.SpawnPrefix(s.props, s.pid.Id+childOf)
	e.unborn = false
	s.host.root.Send(e.pid, load)
	s.awake++
	s.touch(e)
	return true
}

// produce makes the actor of a dashboard for props. wake calls it, on the same stack.
func (s *shard) produce() actor.Actor {
	return &dashboard{shard: s, key: s.born}
}

// touch notes that the dashboard was used just now.
func (s *shard) touch(e *entry) {
	s.idle.remove(e)
	if len(e.subs) == 0 {
		e.touched = s.host.now()
		s.idle.push(e)
	}
}

// retire stops the dashboard's actor. The entry stays as long as a viewer holds it open.
func (s *shard) retire(e *entry) {
	s.host.root.Stop(e.pid)
	e.pid = nil
	s.awake--
	s.idle.remove(e)
	s.deadlines.place(e)
	s.rest.join(&e.busy)
	s.core.Sleep(e.waits)
	e.waits = nil
	if len(e.subs) == 0 {
		s.drop(e)
		return
	}
	e.unborn = e.report.version == 0
}

// learnWaits takes the log times of a dashboard that woke out of the waits of sleeping ones: from
// now on its deadline counts.
func (s *shard) learnWaits(m *woken) {
	s.core.Wake(m.waits)
	if e := s.entries[m.key]; e != nil {
		e.waits = m.waits
	}
}

// maySleep reports whether the dashboard can be put to sleep without losing anything.
func (e *entry) maySleep() bool {
	return e.pid != nil && e.inflight == 0 && !e.dirty && !e.saving && len(e.subs) == 0
}

// sweep puts to sleep the dashboards that were not used for SleepAfter. It looks at a bounded
// number of entries per beat, since this is not urgent.
func (s *shard) sweep(now time.Duration) {
	const most = 20_000
	s.evictWhile(most, math.MaxInt, func(e *entry) bool { return now-e.touched >= s.host.config.SleepAfter })
}

// evict puts the n idlest dashboards to sleep, looking at the idlest few thousand only.
func (s *shard) evict(n int) {
	const most = 4096
	s.evictWhile(most, n, func(*entry) bool { return true })
}

func (s *shard) evictWhile(looks, most int, old func(*entry) bool) {
	for e := s.idle.oldest; e != nil && looks > 0 && most > 0 && old(e); looks-- {
		newer := e.newer
		if e.maySleep() {
			s.retire(e)
			most--
		}
		e = newer
	}
}

// drop removes the entry from the table. Maps do not shrink, so the table is made anew when most of
// it is empty.
func (s *shard) drop(e *entry) {
	delete(s.entries, e.key)
	const small = 1024
	if s.largest = max(s.largest, len(s.entries)); s.largest < small || len(s.entries) > s.largest/8 {
		return
	}
	fresh := make(map[messages.Key]*entry, len(s.entries))
	maps.Copy(fresh, s.entries)
	s.entries, s.largest = fresh, len(fresh)
}

// lighten frees the buffers of the free batches while the log is silent.
func (s *shard) lighten(now time.Duration) {
	const silence = 5 * time.Second
	if s.light || s.core.Quiet(now) < silence || s.inflight.Load() > 0 {
		return
	}
	s.light = true
	for range len(s.credit) {
		select {
		case <-s.credit:
			s.credit <- &batch{}
		default:
		}
	}
}
