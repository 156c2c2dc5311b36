package actors

import (
	"context"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
)

// Refused describes the records in a shard's log that no dashboard received. It comes from the
// shard's state, so it is the same on every host.
type Refused struct {
	Counts map[string]uint64 // by reason
	Newest []fold.Refusal    // oldest first
}

// Refused returns the records in the log of a shard on this host that no dashboard received.
func (h *Host) Refused(ctx context.Context, shard int) (Refused, error) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	h.mu.RLock()
	s, err := h.assignments[shard].current()
	h.mu.RUnlock()
	if err != nil {
		return Refused{}, err
	}
	refused := func() Refused { return Refused{Counts: s.state.RefusedCounts(), Newest: s.state.Refusals()} }
	select {
	case r := <-question(s, refused):
		return r, nil
	case <-s.stopped:
	case <-h.done:
		return Refused{}, feed.ErrClosed
	case <-ctx.Done():
		return Refused{}, ctx.Err()
	}
	return Refused{}, feed.ErrUnserved
}
