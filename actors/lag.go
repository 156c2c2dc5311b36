package actors

import (
	"context"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// lagEvery is how often a shard that is not live asks the log how many records it still has to
// fold. Counting them costs more than naming the last record.
const lagEvery = 2 * time.Second

// measureLag counts the records that a shard still has to fold. The prober calls it. A live shard
// lacks at most the records of the last second, which are not counted.
func (s *shard) measureLag(ctx context.Context) {
	log, counts := s.host.config.Log.(eventlog.Lag)
	if !counts || s.host.now()-s.lagAsked < lagEvery {
		return
	}
	if s.fresh() {
		s.lacking.Store(-1) // the old number is not valid any more
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

// foldedUpTo returns the position up to which everything is folded, or that of the checkpoint if it
// is later, as it is just after the start.
func (s *shard) foldedUpTo() messages.Position {
	v := s.view.Load()
	if v.base != nil && v.base.Position.After(v.folded) {
		return v.base.Position
	}
	return v.folded
}

// lagRecords returns how many records the shard lacks. known is false if the log gave no answer.
func (s *shard) lagRecords() (n int64, known bool) {
	if s.isLive() {
		return 0, true
	}
	n = s.lacking.Load()
	return n, n >= 0
}
