package actors

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dashfeed/dashfeed/feed"
)

// Ready implements feed.Feed. It describes the host, not its shards: it returns nil as soon as each
// of the first shards is live or has failed. Troubles reports what is wrong with single shards,
// then and later: taking the whole host out of service would not help them.
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

// starting reports whether some of the first shards are still loading. Later shards come and go
// while another node serves them: a host that loads one of those is as ready as before.
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

// Troubles returns an error for each shard here that has failed, or that has trouble loading or
// following its log. A shard that only takes time is not in trouble.
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
// for another host's checkpoint.
func (h *Host) Failed(number int) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	s, err := h.assignments[number].current()
	return err == nil && s.phase() == phaseFailed
}

// ails returns what is wrong with the shard, or nil.
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

// readable returns why the shard cannot be read, or nil. A shard that is behind its log can be
// read: its readers are told how old its state is.
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
