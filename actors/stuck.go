package actors

import (
	"errors"
	"fmt"
	"time"
)

const (
	// stuckAfter is how long a shard that has work may get nowhere with it.
	stuckAfter = 10 * time.Second
	// progressEvery is after how many records of one dashboard it counts that something was done: a
	// fold may be slow.
	progressEvery = 16
)

// errStuck says that a shard has work and does nothing of it.
var errStuck = errors.New("no progress")

// watching is what the host's beat last saw of a shard.
type watching struct {
	progress, handled uint64
	idle              time.Duration // for so long there has been work and no progress
}

// watch is the host's beat: it looks whether the shard gets anywhere with what it has to do: its
// dashboards with the batches and the states for a checkpoint that they were asked for, its actor
// with the last beat. Batches that wait for others, for a checkpoint or for what has to be
// forwarded, are no work. Time counts by beats, so that a process that was stopped for a while
// doesn't find all its shards stuck.
func (s *shard) watch(every time.Duration) {
	was := s.watching
	s.watching.progress, s.watching.handled = s.progress.Load(), s.handled.Load()
	dashboards := (s.view.Load().flights > 0 || s.writing.Load()) && was.progress == s.watching.progress
	if !dashboards && !(s.beating.Load() && was.handled == s.watching.handled) {
		s.watching.idle = 0
		s.stuck.Store(0)
		return
	}
	if s.watching.idle += every; s.watching.idle >= stuckAfter {
		s.stuck.Store(int64(s.watching.idle))
		s.warn("stuck", "the shard has work and makes no progress: it claims nothing until it does", "for", s.watching.idle, "batches", s.view.Load().flights)
	}
}

// stuckFor is how long the shard has had work without progress; 0 where that is not too long.
func (s *shard) stuckFor() time.Duration { return time.Duration(s.stuck.Load()) }

func (s *shard) stuckError() error {
	return fmt.Errorf("%w for %v, with %d batches in flight", errStuck, s.stuckFor().Round(time.Second), s.view.Load().flights)
}
