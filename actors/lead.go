package actors

import (
	"context"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// pointer is a shared store that can tell where the newest checkpoint of a shard stands that others
// can read; zero: there is none.
type pointer interface {
	Newest(ctx context.Context, shard int) (messages.Position, error)
}

// lead makes the shard the one that writes checkpoints for all and forwards, or lets it be that no
// more, as Own has said. It begins when the shard is live and no checkpoint is under way that was
// begun without waiting for forwards; where no other node reads the store, at once. It is called
// whenever one of these may have changed.
func (s *shard) lead() {
	store, shared := s.host.config.Checkpoints.(checkpoint.Shared)
	wanted := s.owned.Load() && s.ready && s.phase.Load() != phaseFailed
	switch {
	case s.leading && !wanted:
		s.leading = false
		if shared {
			store.Lead(s.number, false)
		}
		f := &s.forwarder
		f.waiting, f.bytes = nil, 0
		if f.busy {
			f.stop()
		}
		s.letCommit()
		s.resume()
	case !s.leading && wanted && s.job == nil && !s.forwarder.busy && !s.stopping && (!shared || s.isLive()):
		s.leading = true
		if shared {
			store.Lead(s.number, true)
		}
		s.catchUp()
	}
}

// newest is where the newest checkpoint stands that a successor would begin at. Of a store that
// can't tell it is the last one that this shard knows of.
func (s *shard) newest(ctx context.Context) (messages.Position, error) {
	if store, ok := s.host.config.Checkpoints.(pointer); ok {
		return store.Newest(ctx, s.number)
	}
	if at := s.counted.Load(); at != nil {
		return *at, nil
	}
	return messages.Position{}, nil
}
