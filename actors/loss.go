package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// isLoss reports whether a reader's error means that records are gone for good, so that to try again is no use.
func isLoss(err error) bool {
	return errors.Is(err, eventlog.ErrTrimmed) || errors.Is(err, eventlog.ErrAhead) || errors.Is(err, eventlog.ErrCorrupt)
}

// breaks is the reader's: the log has lost records behind the position. The newest checkpoint may lie beyond them, so the shard is
// loaded again; where it has come no further than before, it stands still, and an operator has to say what next, here or on another host.
func (s *shard) breaks(ctx context.Context, at messages.Position, err error) {
	if s.host.mayLoadAgain(s, at) {
		s.broken <- err
		return
	}
	advice := "accept the loss to go on with what is left, as a new epoch"
	switch {
	case s.aheadOf(err):
		advice = "this is another log than the checkpoint's, or one set back: bring the log back, or accept the loss to go on from the newest checkpoint of all hosts, as a new epoch"
	case errors.Is(err, eventlog.ErrAhead):
		advice = "this is another log than the checkpoint's, or one set back: bring the log back, or move the shard's checkpoints away"
	case errors.Is(err, eventlog.ErrCorrupt):
		advice = "bring the log back from a copy"
	}
	s.fail(fmt.Errorf("stands still at position %s: %w; %s", at, err, advice))
	s.awaitNewer(ctx, at, err)
}

// newerEvery is how often a shard that stands still looks whether others have gone on.
const newerEvery = 5 * time.Second

// awaitNewer has the shard loaded again once another host has published a checkpoint beyond the position: the log may have been kept
// there, or the loss accepted. So to accept it on one host is enough.
func (s *shard) awaitNewer(ctx context.Context, at messages.Position, err error) {
	store, ok := s.host.config.Checkpoints.(pointer)
	for ok && eventlog.Pause(ctx, newerEvery) {
		newest, unknown := store.Newest(ctx, s.number)
		switch {
		case unknown != nil && ctx.Err() == nil:
			s.warn("newer", "the shard stands still, and whether others have gone on can't be told", "error", unknown)
		case newest.After(at):
			select {
			case s.broken <- err:
			default: // it is loaded again already
			}
			return
		}
	}
}

// aheadOf reports, by a reader's error, whether the log ends before the checkpoint that the shard has loaded, and an older one may lie where all hosts read.
func (s *shard) aheadOf(err error) bool {
	_, shared := s.host.config.Checkpoints.(checkpoint.Shared)
	return shared && errors.Is(err, eventlog.ErrAhead)
}

// AcceptLoss has a shard go on that stands still because its log has dropped records that were in no checkpoint: from the newest
// checkpoint and the oldest record kept, as a new epoch of each of its dashboards. Where the log was set back it goes on from
// the newest checkpoint of all hosts; what this one has of its own is dropped. It returns once that has begun; a crash before
// the shard's next checkpoint takes it back. An error says why there is nothing to accept.
func (h *Host) AcceptLoss(ctx context.Context, number int) error {
	h.mu.RLock()
	s, err := h.seats[number].seated()
	h.mu.RUnlock()
	if err != nil {
		return fmt.Errorf("accept the loss of shard %d: %w", number, err)
	}
	failure := s.failure.Load()
	switch {
	case s.phase.Load() != phaseFailed || failure == nil:
		return fmt.Errorf("accept the loss of shard %d: it has lost nothing", number)
	case !errors.Is(*failure, eventlog.ErrTrimmed) && !s.aheadOf(*failure):
		return fmt.Errorf("accept the loss of shard %d: only records that were dropped can be let go of: %w", number, *failure)
	}
	// The hole ends at a record: now there is one.
	if _, err := h.config.Log.Append(ctx, []eventlog.Entry{{Kind: messages.KindTick, Partition: number}}); err != nil {
		return fmt.Errorf("accept the loss of shard %d: %w", number, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.seats[number]
	if p == nil || p.shard != s {
		return fmt.Errorf("accept the loss of shard %d: %w", number, feed.ErrStarting)
	}
	p.accepted, p.setBack, p.lost = true, s.aheadOf(*failure), false
	select {
	case s.broken <- *failure:
	default: // somebody else was as quick
	}
	return nil
}

// openBehind opens the log behind a position of the shard; where a hole begins there that was accepted, behind the hole.
func (s *shard) openBehind(at messages.Position, holes []fold.Hole) (eventlog.Reader, error) {
	if n := len(holes); n > 0 && holes[n-1].From == at {
		return s.readRemnant()
	}
	return s.host.config.Log.Read(s.number, at)
}

func (s *shard) readRemnant() (eventlog.Reader, error) {
	if log, ok := s.host.config.Log.(eventlog.Remnant); ok {
		return log.ReadRemnant(s.number)
	}
	return s.host.config.Log.Read(s.number, messages.Position{})
}

// checkHole looks at the first record that the log gives behind the position. Where a hole begins there, the record must be the
// one at its end; another one means that more was lost. Where a loss was accepted, and there is one, that is the hole: another host
// may have published a checkpoint behind it meanwhile. Where the log was set back the hole may be one that held nothing: it begins the epoch.
func (r *reader) checkHole(first messages.Position) error {
	n := len(r.holes)
	known := n > 0 && r.holes[n-1].From == r.position
	switch {
	case known && r.holes[n-1].To == first && !r.setBack:
		return nil
	case !r.lost && !known:
		return nil
	case !r.accept:
		return fmt.Errorf("%w: behind the hole that was accepted the record at %s was kept, now the oldest is at %s", eventlog.ErrTrimmed, r.holes[n-1].To, first)
	}
	r.holes = append(r.holes[:n:n], fold.Hole{From: r.position, To: first})
	r.shard.tell(&skipping{r.position, first})
	return nil
}

// skip enters a hole into the state, before the first batch behind it, and has that written soon.
func (s *shard) skip(m *skipping) {
	if err := s.state.Skip(m.from, m.to); err != nil {
		s.fail(err)
		return
	}
	s.publishHoles()
	s.savedAt = -s.host.config.CheckpointEvery
	s.due = true
	s.host.tallies.holes.Add(1)
	s.logger().Error("the shard goes on behind records that are lost, as a new epoch", "after", m.from, "from", m.to)
}

func (s *shard) publishHoles() {
	holes := s.state.Holes()
	s.holes.Store(&holes)
}
