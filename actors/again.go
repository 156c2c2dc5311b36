package actors

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// ErrGoesOn says that what an operator asked for is done, and that ctx ended before the shard was
// live: it is still loading.
var ErrGoesOn = errors.New("the shard goes on and is not live yet")

// AcceptLoss has a shard go on that has stopped because its log has dropped records that were in no
// checkpoint: from the newest checkpoint and the oldest record kept, as a new epoch of each of its
// dashboards. Where the log was set back it goes on from the newest checkpoint of all hosts, or,
// where hosts share none, with the oldest record that the log has; what this host has of its own is
// dropped. A crash before the shard's next checkpoint takes it back.
//
// It returns when the shard is live; ErrGoesOn where it is behind the hole by the end of ctx. Any
// other error says why there is nothing to accept, or why the shard could not go on all the same.
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
	// The hole ends at a record: now there is one.
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

// passBy has a shard go on behind the records that the process has ended at.
func (h *Host) passBy(ctx context.Context, s *shard, failure error) error {
	s.attempt.mu.Lock()
	span := s.attempt.span
	s.attempt.mu.Unlock()
	var err error
	if span.Through.IsZero() { // it ended while it read: nobody knows which of them it was
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

// Retry has a shard loaded again that has stopped. It returns as AcceptLoss does.
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

// failed is the shard of that number and why it has stopped; an error where it has not.
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

// loadAgain has the shard replaced by another that is loaded as prepare says, and waits for what
// comes of that.
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
	default: // somebody else was as quick
	}
	h.mu.Unlock()
	return h.awaitDecision(ctx, s)
}

// awaitDecision waits until the shards that come after this one have come to an end
// with loading.
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
		case <-s.left: // it found a further loss, and is loaded once more
		case <-h.done:
			return feed.ErrClosed
		case <-ctx.Done():
			return notDecided(s)
		}
	}
}

// notDecided is what there is to say of a shard that loads for longer than somebody waits.
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
