package actors

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// reader reads the shard's partition and sends it batches. Its goroutine belongs to the shard and
// ends with its context, or when the log has lost records that were not folded.
type reader struct {
	shard    *shard
	holes    []fold.Hole       // holes of the state at position
	loss     loss              // loss in the log right behind position
	position messages.Position // position of the last record sent to the shard
	payload  int               // running average of payload bytes per record
}

// run reads until ctx ends or records are lost. It retries other errors with backoff.
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

// read opens a log reader behind the position and sends its records to the shard, until an error
// occurs.
func (r *reader) read(ctx context.Context) (progress bool, err error) {
	s := r.shard
	r.loss.reopen()
	log, err := r.open()
	if err != nil {
		return false, err
	}
	defer func() { log.Close() }()
	s.tell(core.Opened{})
	for {
		var b *batch
		select {
		case b = <-s.credit:
		case <-ctx.Done():
			return progress, ctx.Err()
		}
		limit, err := r.careful(ctx)
		if err != nil {
			s.credit <- b
			return progress, err
		}
		s.waiting.Store(true)
		records, err := r.next(ctx, log, limit)
		s.waiting.Store(false)
		if errors.Is(err, eventlog.ErrTrimmed) && r.loss.find() {
			log.Close()
			if log, err = s.readRemnant(); err != nil {
				s.credit <- b
				return progress, err
			}
			records, err = log.Next(ctx, limit)
		}
		records, beyond := r.cut(r.behindHole(records))
		if err == nil && len(records) > 0 {
			err = r.enterHole(records[0].Position)
		}
		if err != nil {
			s.credit <- b
			return progress, err
		}
		if len(records) == 0 {
			s.credit <- b
		} else {
			progress = true
			r.send(b, records)
		}
		if r.loss.reach(r.position, beyond) || beyond {
			log.Close()
			if log, err = r.open(); err != nil {
				return progress, err
			}
		}
	}
}

// next waits for records. It returns none if the log turns out to have no records up to its named
// end. The shard is told so.
func (r *reader) next(ctx context.Context, log eventlog.Reader, limit int) ([]messages.Record, error) {
	passer, ok := log.(eventlog.Passer)
	if !ok {
		return log.Next(ctx, limit)
	}
	records, passed, err := passer.NextOrPassed(ctx, limit)
	if err == nil && len(records) == 0 {
		r.shard.tell(core.Empty{After: r.position, UpTo: passed})
	}
	return records, err
}

// open opens the log behind the position, or behind an accepted loss that begins there.
func (r *reader) open() (eventlog.Reader, error) {
	s := r.shard
	r.loss.reach(r.position, false)
	if r.loss.state == lossSkipping {
		return s.host.config.Log.Read(s.number, r.loss.span.Through)
	}
	log, err := s.openBehind(r.position, r.holes)
	if errors.Is(err, eventlog.ErrTrimmed) && r.loss.find() {
		log, err = s.readRemnant()
	}
	return log, err
}

// send sends the records to the shard as a batch.
func (r *reader) send(b *batch, records []messages.Record) {
	s := r.shard
	b.fill(records)
	r.learn(b)
	if r.position.IsZero() && len(r.holes) == 0 && !s.host.config.Log.IsFirst(b.items[0].Position) {
		s.host.tallies.truncated.Add(1)
		s.logger().Error("there is no checkpoint and the log does not go back to its beginning: the shard is folded from the oldest record kept", "oldest", b.items[0].Position)
	}
	r.loss.pass()
	s.trouble.Store(nil)
	r.position = b.items[len(b.items)-1].Position
	s.inflight.Add(1)
	s.attempt.send(len(b.items), r.position)
	s.tell(b)
}

// careful returns how many records to ask for. Near the records at which the process has ended, the
// next read waits until everything read before is folded. In the suspected span it reads one record
// at a time.
func (r *reader) careful(ctx context.Context) (limit int, err error) {
	if err := r.shard.attempt.settle(ctx); err != nil {
		return 0, err
	}
	// If the process ended while it read, no read may reach beyond what is folded.
	if span, suspect := r.shard.attempt.suspect(); suspect && (span.Through.IsZero() || !span.After.After(r.position)) {
		return 1, nil
	}
	return r.limit(), nil
}

// cut keeps the records that come before those to be read with care or skipped. beyond says that
// the rest must be read again.
func (r *reader) cut(records []messages.Record) (left []messages.Record, beyond bool) {
	span, suspect := r.shard.attempt.suspect()
	skipped := r.loss.state == lossSkipped
	if skipped {
		span = r.loss.span
	}
	if r.loss.state == lossSkipping || !skipped && !suspect || !span.After.After(r.position) {
		return records, false
	}
	n := slices.IndexFunc(records, func(one messages.Record) bool { return one.Position.After(span.After) })
	if n < 0 {
		return records, false
	}
	if n == 0 && !skipped {
		n = 1 // the first of them is read
	}
	return records[:n], n < len(records)
}

// behindHole drops the records that lie in a hole that begins at the position: records that crash
// the process are skipped, but are still in the log.
func (r *reader) behindHole(records []messages.Record) []messages.Record {
	n := len(r.holes)
	if n == 0 || r.holes[n-1].From != r.position {
		return records
	}
	for len(records) > 0 && r.holes[n-1].To.After(records[0].Position) {
		records = records[1:]
	}
	return records
}

// limit returns how many records to ask for: as many as fit into the batch's bytes, judging by the
// records read so far.
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
