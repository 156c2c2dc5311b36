package actors

import (
	"context"
	"errors"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// reader feeds a shard with its partition. Its goroutine is the shard's and ends with the context it was started with,
// or when the log has lost records that were not folded.
type reader struct {
	shard    *shard
	holes    []fold.Hole       // of the state at position
	accept   bool              // what is lost right behind position is let go of
	setBack  bool              // the log was set back: what came behind position is not known
	lost     bool              // something is, as the log has said, and it was
	position messages.Position // of the last record sent to the shard
	payload  int               // running average of a record's payload, bytes
}

// run reads until ctx ends. Errors other than lost records are tried again, with backoff.
func (r *reader) run(ctx context.Context) {
	const least, most = 50 * time.Millisecond, 5 * time.Second
	wait := least
	for {
		progress, err := r.read(ctx)
		if ctx.Err() != nil {
			return
		}
		if isLoss(err) {
			r.shard.breaks(ctx, r.position, err)
			return
		}
		if progress {
			wait = least
		}
		r.shard.trouble.Store(&err)
		r.shard.warn("read", "reading the log stopped, trying again", "error", err, "after", wait)
		if !eventlog.Pause(ctx, wait) {
			return
		}
		wait = min(2*wait, most)
	}
}

// read opens a log reader behind the position and passes on what it gives until it errs.
func (r *reader) read(ctx context.Context) (progress bool, err error) {
	s := r.shard
	r.lost = r.setBack
	log, err := s.openBehind(r.position, r.holes)
	if r.accept && errors.Is(err, eventlog.ErrTrimmed) {
		r.lost = true
		log, err = s.readRemnant()
	}
	if err != nil {
		return false, err
	}
	defer func() { log.Close() }()
	s.tell(&opened{})
	for {
		var b *batch
		select {
		case b = <-s.credit:
		case <-ctx.Done():
			return progress, ctx.Err()
		}
		s.waiting.Store(true)
		records, err := log.Next(ctx, r.limit())
		s.waiting.Store(false)
		if r.accept && errors.Is(err, eventlog.ErrTrimmed) {
			r.lost = true
			log.Close()
			if log, err = s.readRemnant(); err != nil {
				s.credit <- b
				return progress, err
			}
			records, err = log.Next(ctx, r.limit())
		}
		if err == nil && len(records) > 0 {
			err = r.checkHole(records[0].Position)
		}
		if err == nil && len(records) > 0 {
			b.fill(records)
			r.learn(b)
		}
		if err != nil || len(records) == 0 {
			s.credit <- b
			if err != nil {
				return progress, err
			}
			continue
		}
		if r.position.IsZero() && len(r.holes) == 0 && !s.host.config.Log.IsFirst(b.items[0].Position) {
			s.host.tallies.truncated.Add(1)
			s.logger().Error("there is no checkpoint and the log does not go back to its beginning: the shard is folded from the oldest record kept", "oldest", b.items[0].Position)
		}
		progress, r.accept, r.lost, r.setBack = true, false, false, false
		s.trouble.Store(nil)
		r.position = b.items[len(b.items)-1].Position
		s.inflight.Add(1)
		s.tell(b)
	}
}

// limit is how many records to ask for: as many as the batch's bytes allow for, by the records seen so far.
func (r *reader) limit() int {
	c := &r.shard.host.config
	if r.payload == 0 {
		return c.BatchRecords
	}
	return max(1, min(c.BatchRecords, c.BatchBytes/r.payload))
}

func (r *reader) learn(b *batch) {
	mean := len(b.arena) / len(b.items)
	r.payload = max(mean, (3*r.payload+mean)/4)
}
