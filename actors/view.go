package actors

import (
	"time"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// view is what other goroutines know of the shard's actor, as it was after its last message. A view
// is immutable.
type view struct {
	live    bool              // the shard has been live at least once
	folded  messages.Position // everything up to here is folded
	proven  bool              // the shard has folded up to a position that the log named
	asked   time.Duration     // when the log was asked for that position
	flights int               // batches that dashboards have

	logTime int64 // log time of the last batch folded
	full    bool  // the shard refuses records of some dashboards that have none yet
	largest int   // how many dashboards the tenant has here that has most of them
	// when the last checkpoint was written, since the host's start; 0: none yet
	saved time.Duration
	base  *checkpoint.Marker // marker of the newest checkpoint here; nil: none
	holes *[]fold.Hole       // accepted holes: each dashboard applies them when it is loaded
}

// publish shows other goroutines the shard's present state. It comes before any effect.
func (s *shard) publish() {
	v := s.known
	c := s.core
	v.live, v.folded, v.flights = c.WasLive(), c.Folded(), c.InFlight()
	v.asked, v.proven = c.Proof()
	if now := s.view.Load(); now == nil || *now != v {
		s.view.Store(&v)
	}
}

// holes returns the accepted holes of the log.
func (s *shard) holes() []fold.Hole { return *s.view.Load().holes }

// base returns the marker of the newest checkpoint here; nil: there is none.
func (s *shard) base() *checkpoint.Marker { return s.view.Load().base }

// phase is a stage in a shard's life.
type phase int

const (
	phaseLoading phase = iota
	phaseLive          // has been live at least once
	phaseFailed
)

func (s *shard) phase() phase {
	switch {
	case s.failure.Load() != nil:
		return phaseFailed
	case s.view.Load().live:
		return phaseLive
	}
	return phaseLoading
}
