package core

import (
	"math"
	"time"
)

// ticks tracks the records that a shard appends to move log time on.
type ticks struct {
	at        time.Duration // when the last tick was appended; 0: never
	appending bool
	unstamped bool // records without a time from the log came since the last tick
}

// NoDeadline is the deadline of a shard that has no window waiting for a log time.
const NoDeadline = math.MaxInt64

// Windows describes what the windows of a shard's awake dashboards wait for.
type Windows struct {
	Deadline int64 // earliest log time that a window waits for, ms; or NoDeadline
	LogTime  int64 // log time of the shard, ms
	Wall     int64 // time of the clock, ms
	Busy     bool  // records are read and not yet folded: they may bring the log time
}

// Beat does what is due by the clock. Call it a few times a second.
func (s *Shard) Beat(now Now, w Windows) {
	s.now = now
	s.lead()
	if !s.loaded || s.stopping {
		return
	}
	s.waits.pass(w.LogTime)
	if at, waiting := s.waits.next(); waiting {
		w.Deadline = min(w.Deadline, at)
	}
	s.tick(w)
	if now.Time-s.checkpoints.savedAt >= s.config.CheckpointEvery {
		s.save()
	}
}

// tick appends a tick in two cases. First, the log is silent, but a window waits for a log time
// that must have come by now; this does not depend on viewers. Second, records came to which the
// log gave no time: there only ticks move log time. At most one tick a second is appended, for all
// dashboards of the shard together, and only by the owner. A second tick would do no harm.
func (s *Shard) tick(w Windows) {
	t := &s.ticks
	often := t.appending || t.at != 0 && s.now.Time-t.at < time.Second
	if often || !t.unstamped && !s.deadlinePassed(w) || !s.Acts() {
		return
	}
	t.appending, t.unstamped, t.at = true, false, s.now.Time
	s.do(Effect{Kind: Tick})
}

// deadlinePassed estimates whether a deadline has passed that no record in the log shows. The clock
// only approximates the log's: the append time that the log gives the tick decides its effect.
func (s *Shard) deadlinePassed(w Windows) bool {
	if w.Busy || w.Deadline == NoDeadline {
		return false
	}
	return w.Deadline <= max(w.LogTime+s.Quiet(s.now.Time).Milliseconds(), w.Wall)
}

// Ticked states that the append of a tick has ended.
type Ticked struct{}

func (Ticked) step(s *Shard) { s.ticks.appending = false }

// Acts reports whether the shard performs the duties of an owner.
func (s *Shard) Acts() bool { return s.now.Owned && !s.stopping && s.Live() }
