package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/forward"
	"github.com/dashfeed/dashfeed/messages"
)

// What a shard's forwarder holds at most before it stops to dispatch. A batch more may be added.
const (
	maxMisrouted      = 4096
	maxMisroutedBytes = 4 << 20
)

// forwarder sends home the records that were found in a partition which is not their dashboard's.
// It is a part of its shard's actor, and works only while the shard leads: one append at a time, so
// that each home gets them in order. What is on its way counts as here until it is stored, and the
// shard's checkpoints wait for it: whoever leads next begins at the newest of them.
type forwarder struct {
	waiting []eventlog.Entry   // in order, as the state machine counts them
	stop    context.CancelFunc // ends what is under way
}

// atHome reports whether the dashboard belongs in this shard. One of a tenant that the log does not
// know belongs nowhere.
func (s *shard) atHome(k messages.Key) bool {
	home, err := s.host.config.Log.PartitionOf(k)
	return err == nil && home == s.number
}

// forwardLater takes a record that is not at home here. One that was forwarded already is not sent
// on: two nodes that disagree would throw it to and fro. One that is refused was counted here.
func (s *shard) forwardLater(r *messages.Record) {
	if r.Refused != "" {
		return
	}
	if !r.Origin.Position.IsZero() || r.Kind == messages.KindTick {
		s.host.tallies.unroutable.Add(1)
		s.warn("misrouted", "a forwarded record is not at home here, it is passed over", "position", r.Position, "key", r.Key)
		return
	}
	if s.core.Misroute(r.Position, len(r.Payload)) {
		s.forwarder.waiting = append(s.forwarder.waiting, forward.Entry(r, s.number))
	}
}

// forward begins to append the first n of what waits.
func (s *shard) forward(n int) {
	f := &s.forwarder
	entries := f.waiting[:n:n]
	ctx, stop := context.WithCancel(s.life)
	f.stop = stop
	s.spawn(&s.work, "the forwarder", func() {
		defer stop()
		home := s.homes()
		err := home.Append(ctx, entries)
		s.tell(&core.Forwarded{Stopped: err != nil})
	})
}

// homes is where forwards go.
func (s *shard) homes() forward.Home {
	return forward.Home{
		Log:    s.host.config.Log,
		Stored: func(n int) { s.host.tallies.forwarded.Add(uint64(n)) },
		Refused: func(e eventlog.Entry, err error) {
			s.host.tallies.unroutable.Add(1)
			s.logger().Error("a record can't be forwarded to its home and is passed over", "position", e.Origin.Position, "key", e.Key, "error", err)
		},
		Again: func(err error, wait time.Duration) {
			s.warn("forward", "records can't be forwarded to their homes, trying again; checkpoints wait", "error", err, "after", wait)
		},
	}
}

// endForward takes note of what is stored.
func (s *shard) endForward(m *core.Forwarded) {
	f := &s.forwarder
	done := s.core.Forwarded(s.look(), *m)
	clear(f.waiting[:done])
	if f.waiting = f.waiting[done:]; len(f.waiting) == 0 {
		f.waiting = nil
	}
}

// catchUp is a new leader's first act: what lies between the newest checkpoint that counts and its
// own fold's position was not forwarded by itself and perhaps by nobody. It is read again, if there
// is any.
func (s *shard) catchUp(e core.Effect) {
	f := &s.forwarder
	ctx, stop := context.WithCancel(s.life)
	f.stop = stop
	s.spawn(&s.work, "the forwarder", func() {
		defer stop()
		const least, most = 50 * time.Millisecond, 5 * time.Second
		for wait := least; ; wait = min(2*wait, most) {
			newest, err := s.host.config.Checkpoints.Newest(ctx, s.number)
			if err == nil {
				err = s.forwardAgain(ctx, newest, e.Last, e.At)
			}
			if err == nil || ctx.Err() != nil {
				s.tell(&core.Forwarded{Newest: &newest, Stopped: err != nil})
				return
			}
			s.warn("forward", "what the owner before may not have forwarded can't be read, trying again; checkpoints wait", "error", err, "after", wait)
			eventlog.Pause(ctx, wait)
		}
	})
}

// forwardAgain forwards what lies between the newest checkpoint, from, and upTo; behind last
// everything is at home. Records that the log has dropped in the meantime can't be forwarded by
// anybody.
func (s *shard) forwardAgain(ctx context.Context, from, last, upTo messages.Position) error {
	if !last.After(from) {
		return nil
	}
	err := s.forwardAfter(ctx, from, last, upTo)
	if errors.Is(err, eventlog.ErrTrimmed) {
		s.host.tallies.truncated.Add(1)
		s.logger().Error("the log has dropped records that perhaps had to be forwarded to their homes", "after", from, "error", err)
		return s.forwardAfter(ctx, messages.Position{}, last, upTo)
	}
	return err
}

func (s *shard) forwardAfter(ctx context.Context, from, last, upTo messages.Position) error {
	log, err := s.host.config.Log.Read(s.number, from)
	if err != nil {
		return fmt.Errorf("read after %s: %w", from, err)
	}
	defer log.Close()
	mapping := func(all []eventlog.Entry, r *messages.Record) []eventlog.Entry {
		if forward.Goes(r) && !r.Position.After(upTo) && !s.atHome(r.Key) {
			all = append(all, forward.Entry(r, s.number))
		}
		return all
	}
	if err := forward.Run(ctx, &passed{log: log, last: last}, mapping, s.homes()); err != nil {
		return fmt.Errorf("forward what lies after %s: %w", from, err)
	}
	return nil
}

// passed is what a shard has folded and not forwarded: records up to last. Its committed place is
// the shard's next checkpoint.
type passed struct {
	log  eventlog.Reader
	last messages.Position
	done bool
}

func (p *passed) Next(ctx context.Context) ([]messages.Record, error) {
	if p.done {
		return nil, io.EOF
	}
	records, err := p.log.Next(ctx, forward.AtOnce)
	p.done = err == nil && !p.last.After(records[len(records)-1].Position)
	return records, err
}

func (p *passed) Commit(context.Context) error { return nil }
