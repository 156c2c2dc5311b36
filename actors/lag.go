package actors

import (
	"context"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// lagEvery is how often a shard that is not live asks the log how many records it has still to
// fold: to count them is dearer than to name the last.
const lagEvery = 2 * time.Second

// measureLag is the prober's: it counts what a shard that is behind has still to fold. One that is
// live lacks what came within a second, which is not counted.
func (s *shard) measureLag(ctx context.Context) {
	log, counts := s.host.config.Log.(eventlog.Lag)
	if !counts || s.host.now()-s.lagAsked < lagEvery {
		return
	}
	if s.fresh() {
		s.lacking.Store(-1) // of before
		return
	}
	s.lagAsked = s.host.now()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	n, err := log.Lag(ctx, s.number, s.foldedUpTo())
	if err != nil {
		s.lacking.Store(-1)
		if ctx.Err() == nil {
			s.warn("lag", "the log does not say how many records the shard is behind", "error", err)
		}
		return
	}
	s.lacking.Store(int64(n))
}

// foldedUpTo is how far the shard has come, or its checkpoint where it has only begun.
func (s *shard) foldedUpTo() messages.Position {
	v := s.view.Load()
	if v.base != nil && v.base.Position.After(v.folded) {
		return v.base.Position
	}
	return v.folded
}

// lagRecords is how many records the shard lacks; known is false where the log did not say.
func (s *shard) lagRecords() (n int64, known bool) {
	if s.isLive() {
		return 0, true
	}
	n = s.lacking.Load()
	return n, n >= 0
}
