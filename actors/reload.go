package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// isLoss reports whether a reader's error means that records are lost for good, so that retrying
// does not help.
func isLoss(err error) bool {
	return errors.Is(err, eventlog.ErrTrimmed) || errors.Is(err, eventlog.ErrAhead) || errors.Is(err, eventlog.ErrCorrupt)
}

// breaks handles a log that has lost records behind the position. The reader calls it. The newest
// checkpoint may lie beyond the loss, so the shard is loaded again. If the shard came no further
// than the last time, it stops, and an operator must decide, here or on another host.
func (s *shard) breaks(ctx context.Context, at messages.Position, err error) {
	if s.host.mayLoadAgain(s, at) {
		s.broken <- err
		return
	}
	advice := "accept the loss to go on with what is left, as a new epoch"
	switch {
	case errors.Is(err, eventlog.ErrAhead):
		advice = "this is another log than the checkpoint's, or one set back: bring the log back, or accept the loss to go on as a new epoch, " + s.behindAhead()
	case errors.Is(err, eventlog.ErrCorrupt):
		advice = "bring the log back from a copy"
	}
	s.fail(fmt.Errorf("stopped at position %s: %w; %s", at, err, advice))
	s.awaitNewer(ctx, at, err)
}

// newerEvery is how often a stopped shard checks whether another host has continued.
const newerEvery = 5 * time.Second

// awaitNewer loads the shard again once another host has published a checkpoint beyond the
// position: the log there may have the records, or the loss may have been accepted. So an operator
// needs to accept a loss on one host only.
func (s *shard) awaitNewer(ctx context.Context, at messages.Position, err error) {
	store := s.host.config.Checkpoints
	for store.Shared() && eventlog.Pause(ctx, newerEvery) {
		newest, unknown := store.Newest(ctx, s.number)
		switch {
		case unknown != nil && ctx.Err() == nil:
			s.warn("newer", "the shard has stopped, and whether others have gone on can't be told", "error", unknown)
		case newest.After(at):
			select {
			case s.broken <- err:
			default: // it is being loaded again already
			}
			return
		}
	}
}

// behindAhead says where a shard continues whose checkpoint lies beyond the end of its log, once
// that is accepted.
func (s *shard) behindAhead() string {
	if s.host.config.Checkpoints.Shared() {
		return "from the newest checkpoint of all hosts"
	}
	return "with the oldest record that the log has"
}

// dropOwn drops this host's own state of the shard, which lies beyond the end of its log.
func (s *shard) dropOwn() error { return s.host.config.Checkpoints.Forget(s.number) }
