package actors

import (
	"time"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// view is what other goroutines know of the shard's actor: as it was after the last message, all of
// one moment. Nobody changes one.
type view struct {
	live    bool              // it was once
	folded  messages.Position // everything up to here is folded
	proven  bool              // it has folded up to a position that the log named
	asked   time.Duration     // when the log was asked for that
	flights int               // batches that dashboards have

	logTime int64 // of the last batch folded
	full    bool  // it takes no records of some dashboards that have none
	// when the last checkpoint was written, since the host's start; 0: none yet
	saved time.Duration
	base  *checkpoint.Marker // of the newest checkpoint here; nil: none
	holes *[]fold.Hole       // that were accepted: each dashboard takes them when it comes up
}

// publish shows others how the shard is now. It comes before any effect.
func (s *shard) publish() {
	v := s.known
	c := s.core
	v.live, v.folded, v.flights = c.WasLive(), c.Folded(), c.InFlight()
	v.asked, v.proven = c.Proof()
	if now := s.view.Load(); now == nil || *now != v {
		s.view.Store(&v)
	}
}

// holes are those of the log that were accepted.
func (s *shard) holes() []fold.Hole { return *s.view.Load().holes }

// base is the marker of the newest checkpoint here; nil: there is none.
func (s *shard) base() *checkpoint.Marker { return s.view.Load().base }

// phase is where a shard is in its life.
type phase int

const (
	phaseLoading phase = iota
	phaseLive          // it was live once
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
