package core

import (
	"math"
	"time"
)

// ticks are records that a shard appends so that log time moves on.
type ticks struct {
	at        time.Duration // when the last one was appended; 0: never
	appending bool
	unstamped bool // since the last one records came that the log gave no time
}

// NoDeadline is the deadline of a shard none of whose windows waits for a log time.
const NoDeadline = math.MaxInt64

// Windows is what the windows of a shard's dashboards wait for, awake or asleep.
type Windows struct {
	Deadline int64 // the earliest log time that one waits for, ms; NoDeadline: none does
	LogTime  int64 // the shard's, ms
	Wall     int64 // the clock's, ms
	Busy     bool  // records are read and not folded: they may bring that log time
}

// Beat does what is due by the clock. It comes a few times a second.
func (s *Shard) Beat(now Now, w Windows) {
	s.now = now
	s.lead()
	if !s.loaded || s.stopping {
		return
	}
	s.tick(w)
	if now.Time-s.checkpoints.savedAt >= s.config.CheckpointEvery {
		s.save()
	}
}

// tick appends a tick when the log is silent although a window waits for a log time that must have
// come by now, whether or not anybody looks; and where records have come that the log gave no time:
// only ticks move log time there. At most one a second, and one for all of the shard's dashboards;
// only by the owner, though a second one does no harm.
func (s *Shard) tick(w Windows) {
	t := &s.ticks
	often := t.appending || t.at != 0 && s.now.Time-t.at < time.Second
	if often || !t.unstamped && !s.deadlinePassed(w) || !s.Acts() {
		return
	}
	t.appending, t.unstamped, t.at = true, false, s.now.Time
	s.do(Effect{Kind: Tick})
}

// deadlinePassed guesses that a deadline has passed that nothing in the log tells of. The clock is
// only a guess at the log's: what the tick does is decided by the append time that the log gives
// it.
func (s *Shard) deadlinePassed(w Windows) bool {
	if w.Busy || w.Deadline == NoDeadline {
		return false
	}
	return w.Deadline <= max(w.LogTime+s.Quiet(s.now.Time).Milliseconds(), w.Wall)
}

// Ticked says that the append of a tick has ended.
func (s *Shard) Ticked() { s.ticks.appending = false }

// Acts reports whether the shard does what only an owner does.
func (s *Shard) Acts() bool { return s.now.Owned && !s.stopping && s.Live() }
