package shared

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// Lead returns at once. The next Commit asks the place to lead; the place is released as soon as a
// running publish has ended.
func (s *Store) Lead(number int, lead bool) {
	sh, err := s.shard(number)
	if err != nil || !sh.lead(lead) || lead {
		return // a closed store leads nothing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.work.Go(func() {
		sh.io.Lock()
		defer sh.io.Unlock()
		sh.mu.Lock()
		leads := sh.leads
		sh.mu.Unlock()
		if leads {
			return // Lead was called again meanwhile
		}
		if err := sh.release(); err != nil {
			s.config.Logger.Warn("a shard's checkpoints were not released cleanly", "shard", number, "error", err)
		}
	})
}

// Begin starts the next checkpoint in the scratch.
func (s *Store) Begin(number int) (checkpoint.Writer, error) {
	sh, err := s.shard(number)
	if err != nil {
		return nil, err
	}
	scratch, err := s.scratchOf(number)
	if err != nil {
		return nil, err
	}
	name, err := s.place.Name(number)
	if err != nil {
		return nil, fmt.Errorf("begin checkpoint of shard %d: %w", number, err)
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.writing {
		return nil, fmt.Errorf("begin checkpoint of shard %d: the previous one is neither committed nor aborted", number)
	}
	w, err := s.scratch.Begin(scratch)
	if err != nil {
		return nil, err
	}
	sh.writing = true
	return &writer{named: named{w, name}, s: s, sh: sh, scratch: scratch}, nil
}

// writer writes one checkpoint to the scratch and, if this process leads, to the place.
type writer struct {
	named
	s       *Store
	sh      *shard
	scratch int
	ended   bool
}

// Commit returns the position of the older of the two checkpoints in the place; zero if nothing was
// published.
func (w *writer) Commit(m checkpoint.Marker) (released messages.Position, err error) {
	defer w.end()
	if _, err := w.named.Commit(m); err != nil {
		return released, err
	}
	return w.s.publish(w.sh, w.scratch, m), nil
}

// Abort discards the checkpoint.
func (w *writer) Abort() error {
	defer w.end()
	return w.named.Abort()
}

func (w *writer) end() {
	if w.ended {
		return
	}
	w.ended = true
	w.sh.mu.Lock()
	defer w.sh.mu.Unlock()
	w.sh.writing = false
}

// publish copies the checkpoint just committed to the place. It logs errors and does not return
// them: the next publish makes up for them.
func (s *Store) publish(sh *shard, scratch int, m checkpoint.Marker) (older messages.Position) {
	sh.io.Lock()
	defer sh.io.Unlock()
	ctx, stop := context.WithTimeout(s.life, s.config.PublishWait)
	defer stop()
	if !sh.publishing(stop) {
		return older
	}
	older, err := s.publishTo(ctx, sh, scratch, m)
	if err != nil {
		older = messages.Position{}
		behind := errors.Is(err, ErrBehind)
		err = fmt.Errorf("publish checkpoint of shard %d at %s: %w", sh.number, m.Position, err)
		if !behind {
			err = errors.Join(err, sh.release())
		}
	}
	known, told := sh.published(err)
	switch {
	case errors.Is(told, ErrBehind):
		if known == nil {
			s.config.Logger.Warn("other processes have published newer checkpoints: this process publishes once it is beyond them", "shard", sh.number, "position", m.Position)
		}
	case told != nil && (known == nil || errors.Is(known, ErrBehind)):
		s.config.Logger.Error("checkpoints are not published: the log keeps the records that they would release", "shard", sh.number, "error", told)
	case told == nil && known != nil && err == nil:
		s.config.Logger.Info("checkpoints are published again", "shard", sh.number, "position", m.Position)
	}
	return older
}

func (s *Store) publishTo(ctx context.Context, sh *shard, scratch int, m checkpoint.Marker) (older messages.Position, err error) {
	if sh.leader == nil {
		if sh.leader, err = s.place.Lead(ctx, sh.number); err != nil {
			sh.leader = nil
			return older, err
		}
	}
	sequence, err := s.scratch.Sequence(scratch)
	if err != nil {
		return older, err
	}
	return sh.leader.Publish(ctx, m, local{s, scratch, sequence})
}

// local is the newest checkpoint in the scratch.
type local struct {
	s        *Store
	scratch  int
	sequence uint64
}

func (l local) Sequence() uint64 { return l.sequence }

func (l local) Each(after uint64, yield func(checkpoint.Entry) error) error {
	return l.s.scratch.Each(l.scratch, after, yield)
}
