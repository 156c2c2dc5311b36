package actors

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// ErrGoesOn says that the operator's request was carried out, but that ctx ended before the shard
// was live. The shard is still loading.
var ErrGoesOn = errors.New("the shard goes on and is not live yet")

// AcceptLoss makes a shard continue that has stopped because its log dropped records that were in
// no checkpoint. The shard continues from the newest checkpoint and the oldest record kept, with a
// new epoch for each of its dashboards. If the log was set back, the shard continues from the
// newest checkpoint of all hosts. If hosts share no checkpoints, it continues with the oldest
// record of the log. In both cases this host drops its own state of the shard. A crash before the
// shard's next checkpoint undoes the acceptance.
//
// It returns when the shard is live, or ErrGoesOn if the shard is behind the hole but not live when
// ctx ends. Any other error says why there is nothing to accept, or why the shard could not
// continue.
func (h *Host) AcceptLoss(ctx context.Context, number int) error {
	s, failure, err := h.failed(number)
	switch {
	case err != nil:
		return fmt.Errorf("accept the loss of shard %d: %w", number, err)
	case errors.Is(failure, ErrCrashes):
		return h.passBy(ctx, s, failure)
	case !errors.Is(failure, eventlog.ErrTrimmed) && !errors.Is(failure, eventlog.ErrAhead):
		return fmt.Errorf("accept the loss of shard %d: only records that were dropped can be let go of: %w", number, failure)
	}
	// A hole ends at a record, so append one.
	if _, err := h.config.Log.Append(ctx, []eventlog.Entry{{Kind: messages.KindTick, Partition: number}}); err != nil {
		return fmt.Errorf("accept the loss of shard %d: %w", number, err)
	}
	err = h.loadAgain(ctx, s, failure, func(p *assignment) {
		p.loss = loss{state: lossAccepted}
		if errors.Is(failure, eventlog.ErrAhead) {
			p.loss.state = lossRewound
		}
	})
	if err != nil {
		return fmt.Errorf("accept the loss of shard %d: %w", number, err)
	}
	return nil
}

// passBy makes a shard continue behind the records at which the process ended.
func (h *Host) passBy(ctx context.Context, s *shard, failure error) error {
	s.attempt.mu.Lock()
	span := s.attempt.span
	s.attempt.mu.Unlock()
	var err error
	if span.Through.IsZero() { // the process ended while it read: it is unknown at which record
		span.Through, err = s.last(ctx)
	}
	if err == nil {
		_, err = h.config.Log.Append(ctx, []eventlog.Entry{{Kind: messages.KindTick, Partition: s.number}})
	}
	if err == nil {
		err = h.loadAgain(ctx, s, failure, func(p *assignment) { p.loss = loss{state: lossSkipped, span: span} })
	}
	if err != nil {
		return fmt.Errorf("accept the loss of shard %d: %w", s.number, err)
	}
	return nil
}

// Retry loads a stopped shard again. It returns as AcceptLoss does.
func (h *Host) Retry(ctx context.Context, number int) error {
	s, failure, err := h.failed(number)
	if err == nil {
		s.attempt.forgive()
		err = h.loadAgain(ctx, s, failure, func(p *assignment) { p.faults = 0; p.loss.retry() })
	}
	if err != nil {
		return fmt.Errorf("retry shard %d: %w", number, err)
	}
	return nil
}

// failed returns the shard of that number and why it has stopped. It returns err if the shard has
// not stopped.
func (h *Host) failed(number int) (s *shard, failure, err error) {
	h.mu.RLock()
	s, err = h.assignments[number].current()
	h.mu.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	why := s.failure.Load()
	if s.phase() != phaseFailed || why == nil {
		return nil, nil, errors.New("it has not stopped")
	}
	return s, *why, nil
}

// loadAgain replaces the shard with a new one whose assignment prepare has changed, and waits for
// the outcome of its load.
func (h *Host) loadAgain(ctx context.Context, s *shard, why error, prepare func(p *assignment)) error {
	h.mu.Lock()
	p := h.assignments[s.number]
	if p == nil || p.shard != s {
		h.mu.Unlock()
		return feed.ErrStarting
	}
	prepare(p)
	select {
	case s.broken <- why:
	default: // somebody else has asked for it already
	}
	h.mu.Unlock()
	return h.awaitDecision(ctx, s)
}

// awaitDecision waits until the load of the shard that replaces s has succeeded or failed.
func (h *Host) awaitDecision(ctx context.Context, s *shard) error {
	for {
		select {
		case <-s.left:
		case <-h.done:
			return feed.ErrClosed
		case <-ctx.Done():
			return notDecided(s)
		}
		h.mu.RLock()
		next, err := h.assignments[s.number].current()
		h.mu.RUnlock()
		if err != nil {
			return err
		}
		s = next
		select {
		case <-s.decided:
			if s.phase() == phaseFailed {
				return *s.failure.Load()
			}
			return nil
		case <-s.left: // it found a further loss and is loaded once more
		case <-h.done:
			return feed.ErrClosed
		case <-ctx.Done():
			return notDecided(s)
		}
	}
}

// notDecided returns the error for a caller whose wait ended before the load of the shard did.
func notDecided(s *shard) error {
	select {
	case <-s.skipped:
		return ErrGoesOn
	default:
	}
	if err := s.readable(); err != nil {
		return err
	}
	return feed.ErrStarting
}
