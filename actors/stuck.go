package actors

import (
	"errors"
	"fmt"
	"time"
)

const (
	// stuckAfter is how long a shard may have work without making progress before it counts as
	// stuck.
	stuckAfter = 10 * time.Second
	// progressEvery is the number of records of one dashboard after which progress is counted: a
	// fold may be slow.
	progressEvery = 16
)

// errStuck says that a shard has work and makes no progress.
var errStuck = errors.New("no progress")

// watching is what the host's beat last saw of a shard.
type watching struct {
	progress, handled uint64
	idle              time.Duration // how long there has been work and no progress
}

// watch checks whether the shard makes progress with its work. The host's beat calls it. The work
// of dashboards is to fold batches and to give their states to a checkpoint; the work of the actor
// is to handle the last beat. Held batches, which wait for a checkpoint or for forwards, are not
// work. Time counts in beats, so that a process that was suspended for a while does not find all
// its shards stuck.
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

// stuckFor returns how long the shard has been stuck, 0 if it is not.
func (s *shard) stuckFor() time.Duration { return time.Duration(s.stuck.Load()) }

func (s *shard) stuckError() error {
	return fmt.Errorf("%w for %v, with %d batches in flight", errStuck, s.stuckFor().Round(time.Second), s.view.Load().flights)
}
