package actors

import (
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// tickIfDue appends a tick when the log is silent although a dashboard that somebody holds open has a deadline that
// must have passed by now, and where records have come that the log gave no time: only ticks move log time there. At most one
// a second, and one for all of the shard's dashboards; only by the owner, though a second one does no harm.
func (s *shard) tickIfDue(now time.Duration) {
	if s.ticking || s.tickAt != 0 && now-s.tickAt < time.Second || !s.timeless && !s.deadlinePassed(now) || !s.acts() {
		return
	}
	s.ticking, s.timeless, s.tickAt = true, false, now
	s.work.Go(func() {
		_, err := s.host.config.Log.Append(s.life, []eventlog.Entry{{Kind: messages.KindTick, Partition: s.number}})
		s.tell(&ticked{err})
	})
}

// deadlinePassed guesses that a deadline has passed that nothing in the log tells of. The wall clock is only a guess at the
// log's: what the tick does is decided by the append time that the log gives it.
func (s *shard) deadlinePassed(now time.Duration) bool {
	if len(s.deadlines) == 0 || s.inflight.Load() > 0 {
		return false
	}
	guess := max(s.state.LogTime()+(now-s.recordAt).Milliseconds(), time.Now().UnixMilli())
	return s.deadlines[0].report.deadline <= guess
}

func (s *shard) endTick(err error) {
	s.ticking = false
	if err != nil && s.life.Err() == nil {
		s.warn("tick", "a tick could not be appended, open windows wait", "error", err)
	}
}
