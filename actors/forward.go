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

// Bounds of the records that wait in a shard's forwarder before the shard stops dispatching. One
// more batch may be added.
const (
	maxMisrouted      = 4096
	maxMisroutedBytes = 4 << 20
)

// forwarder sends misrouted records to their home partitions. It is a part of its shard's actor and
// works only while the shard leads. One append is under way at a time, so that each home receives
// the records in order. A record on its way counts as waiting until it is stored, and the shard's
// checkpoints wait for it: the next leader begins at the newest checkpoint.
type forwarder struct {
	waiting []eventlog.Entry   // in the order in which the state machine counts them
	stop    context.CancelFunc // cancels the append under way
}

// atHome reports whether this shard is the dashboard's home. A dashboard whose tenant the log does
// not know has no home.
func (s *shard) atHome(k messages.Key) bool {
	home, err := s.host.config.Log.PartitionOf(k)
	return err == nil && home == s.number
}

// forwardLater queues a misrouted record. A record that was forwarded already is not forwarded
// again: two nodes that disagree would send it back and forth. A refused record is not forwarded
// either, since it was counted here.
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

// forward begins to append the first n waiting records.
func (s *shard) forward(n int) {
	f := &s.forwarder
	entries := f.waiting[:n:n]
	ctx, stop := context.WithCancel(s.life)
	f.stop = stop
	s.spawn(&s.work, "the forwarder", func() {
		defer stop()
		home := s.homes()
		err := home.Append(ctx, entries)
		s.tell(core.Forwarded{Stopped: err != nil})
	})
}

// homes returns where forwarded records go.
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

// drop drops the first n waiting records. If these are all, an append that was stopped may still
// read them.
func (f *forwarder) drop(n int) {
	if n == len(f.waiting) {
		f.waiting = nil
		return
	}
	clear(f.waiting[:n])
	f.waiting = f.waiting[n:]
}

// catchUp is the first act of a new leader: this host did not forward the misrouted records between
// the newest checkpoint that counts and its own position, and perhaps no other host did. It reads
// them again, if there are any.
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
				s.tell(core.Forwarded{Newest: &newest, Stopped: err != nil})
				return
			}
			s.warn("forward", "what the owner before may not have forwarded can't be read, trying again; checkpoints wait", "error", err, "after", wait)
			eventlog.Pause(ctx, wait)
		}
	})
}

// forwardAgain forwards the misrouted records between from, the newest checkpoint, and upTo. No
// record behind last is misrouted. Records that the log has dropped meanwhile cannot be forwarded
// by anybody.
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

// passed reads the records that a shard has folded and not forwarded, up to last. It commits
// nothing: the shard's next checkpoint covers these records.
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
