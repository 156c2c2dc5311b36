package actors

import (
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// tickIfDue appends a tick when the log is silent although a dashboard that somebody holds open has a deadline that
// must have passed by now: at most one a second, and one for all of the shard's dashboards. The wall clock is only a guess
// at the log's: what the tick does is decided by the append time that the log gives it.
func (s *shard) tickIfDue(now time.Duration) {
	if s.ticking || len(s.deadlines) == 0 || !s.acts() {
		return
	}
	if s.tickAt != 0 && now-s.tickAt < time.Second {
		return
	}
	guess := max(s.state.LogTime()+(now-s.recordAt).Milliseconds(), time.Now().UnixMilli())
	if s.deadlines[0].report.deadline > guess || s.inflight.Load() > 0 {
		return
	}
	s.ticking, s.tickAt = true, now
	s.work.Go(func() {
		_, err := s.host.config.Log.Append(s.life, []eventlog.Entry{{Kind: messages.KindTick, Partition: s.number}})
		s.tell(&ticked{err})
	})
}

func (s *shard) endTick(err error) {
	s.ticking = false
	if err != nil && s.life.Err() == nil {
		s.warn("tick", "a tick could not be appended, open windows wait", "error", err)
	}
}
