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
		_, err := s.appendTick()
		s.tell(&ticked{err: err})
	})
}

func (s *shard) appendTick() (at messages.Position, err error) {
	receipts, err := s.host.config.Log.Append(s.life, []eventlog.Entry{{Kind: messages.KindTick, Partition: s.number}})
	if len(receipts) == 1 {
		at = receipts[0].Position
	}
	return at, err
}

// deadlinePassed guesses that a deadline has passed that nothing in the log tells of. The wall clock is only a guess at the
// log's: what the tick does is decided by the append time that the log gives it.
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

// nudgeAfter is how long a shard waits for a record that its log has named, while its reader has nothing: short enough that a
// live shard stays so.
const nudgeAfter = 3 * probeEvery

// nudgeIfStuck appends a tick where the log names as its last what no reader gives: a stranger's message without payload, which
// Pulsar's client keeps to itself, or something of the broker's own. A record behind it is the proof that nothing was missed.
// Nobody is live then, so whoever waits does it; once, until its tick has come.
func (s *shard) nudgeIfStuck(now time.Duration) {
	if len(s.named) == 0 || now-s.named[0].asked < nudgeAfter || !s.waiting.Load() || s.inflight.Load() > 0 ||
		s.ticking || s.stopping || s.nudge.After(s.folded) || s.nudgedAt != 0 && now-s.nudgedAt < nudgeAfter {
		return
	}
	s.ticking, s.nudgedAt = true, now
	named := s.named[0].last
	s.spawn(&s.work, "the append of a tick", func() {
		at, err := s.appendTick()
		s.tell(&ticked{at, err})
	})
	s.warn("nudge", "the log names a last record that it does not give: a tick is appended behind it", "named", named, "folded", s.folded)
}

func (s *shard) endTick(m *ticked) {
	s.ticking = false
	if !m.nudge.IsZero() {
		s.nudge = m.nudge
	}
	if m.err != nil && s.life.Err() == nil {
		s.warn("tick", "a tick could not be appended, open windows wait", "error", m.err)
	}
}
