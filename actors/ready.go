package actors

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dashfeed/dashfeed/feed"
)

// Ready implements feed.Feed. It speaks of the host, not of its shards: it is nil as soon as each
// of the first shards is live or has failed. What is wrong with single shards, then and later, is
// told by Troubles: others have nothing from it that this host is taken out.
func (h *Host) Ready() error {
	if h.closed.Load() {
		return feed.ErrClosed
	}
	h.mu.RLock()
	begun := h.begun
	h.mu.RUnlock()
	if !begun || h.ordering.Load() {
		return feed.ErrStarting
	}
	if !h.starting() {
		return nil
	}
	var errs []error
	for _, s := range h.held() {
		if err := s.readable(); err != nil {
			errs = append(errs, fmt.Errorf("shard %d: %w", s.number, err))
		}
	}
	return errors.Join(errs...)
}

// starting reports whether some of the first shards that were loaded here have not come to an end
// with it. Later ones come and go while another node serves them: a host that loads one is as ready
// as before.
func (h *Host) starting() bool {
	if h.settled.Load() {
		return false
	}
	if h.ordering.Load() {
		return true
	}
	shards := h.held()
	if slices.ContainsFunc(shards, func(s *shard) bool { return s.phase() == phaseLoading }) {
		return true
	}
	if len(shards) > 0 {
		h.settled.Store(true)
	}
	return false
}

// Troubles are what is wrong with shards that are here, an error each: they have failed, or load or
// follow their log with trouble. A shard that only takes its time is none.
func (h *Host) Troubles() error {
	var errs []error
	for _, s := range h.held() {
		if err := s.ails(); err != nil {
			errs = append(errs, fmt.Errorf("shard %d: %w", s.number, err))
		}
	}
	return errors.Join(errs...)
}

// Failed reports whether the shard is here and has stopped for good: it waits for an operator, or
// for what another host does.
func (h *Host) Failed(number int) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	s, err := h.assignments[number].current()
	return err == nil && s.phase() == phaseFailed
}

// ails is what is wrong with the shard, or nil.
func (s *shard) ails() error {
	switch trouble := s.trouble.Load(); {
	case s.phase() == phaseFailed:
		return *s.failure.Load()
	case trouble != nil && s.phase() == phaseLoading:
		return fmt.Errorf("%w: %w", feed.ErrStarting, *trouble)
	case s.stuckFor() > 0:
		return s.stuckError()
	case trouble != nil && !s.isLive():
		return fmt.Errorf("not live: %w", *trouble)
	}
	return nil
}

// readable is why the shard can't be read, or nil. One that is behind its log can: its readers are
// told how old it is.
func (s *shard) readable() error {
	switch s.phase() {
	case phaseLoading:
		if trouble := s.trouble.Load(); trouble != nil {
			return fmt.Errorf("%w: %w", feed.ErrStarting, *trouble)
		}
		return feed.ErrStarting
	case phaseFailed:
		return fmt.Errorf("%w: %w", feed.ErrUnserved, *s.failure.Load())
	}
	return nil
}
