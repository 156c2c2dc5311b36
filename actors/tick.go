package actors

import (
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// tickIfDue appends a tick when the log is silent although a window of one of the shard's
// dashboards, awake or asleep, waits for a log time that must have come by now, whether or not
// anybody looks; and where records have come that the log gave no time: only ticks move log time
// there. At most one a second, and one for all of the shard's dashboards; only by the owner, though
// a second one does no harm.
func (s *shard) tickIfDue(now time.Duration) {
	if s.ticking || s.tickAt != 0 && now-s.tickAt < time.Second || !s.timeless && !s.deadlinePassed(now) || !s.acts() {
		return
	}
	s.ticking, s.timeless, s.tickAt = true, false, now
	s.spawn(&s.work, "the append of a tick", func() {
		s.tell(&ticked{s.appendTick()})
	})
}

func (s *shard) appendTick() error {
	_, err := s.host.config.Log.Append(s.life, []eventlog.Entry{{Kind: messages.KindTick, Partition: s.number}})
	return err
}

// deadlinePassed guesses that a deadline has passed that nothing in the log tells of. The wall
// clock is only a guess at the log's: what the tick does is decided by the append time that the log
// gives it.
func (s *shard) deadlinePassed(now time.Duration) bool {
	if s.inflight.Load() > 0 {
		return false
	}
	earliest, waiting := s.waits.next()
	if e := s.deadlines.first(); e != nil && (!waiting || e.due < earliest) {
		earliest, waiting = e.due, true
	}
	return waiting && earliest <= max(s.state.LogTime()+(now-s.recordAt).Milliseconds(), time.Now().UnixMilli())
}

func (s *shard) endTick(m *ticked) {
	s.ticking = false
	if m.err != nil && s.life.Err() == nil {
		s.warn("tick", "a tick could not be appended, open windows wait", "error", m.err)
	}
}
