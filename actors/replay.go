package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// replays reads a shard's log again for dashboards that must be restored. One replay serves all
// dashboards that arrived during the previous replay and begin at the same position. So a partition
// is read only a few times, however many of its dashboards are corrupt. One of the waiting
// dashboards leads the replay. Each waits on its own worker.
type replays struct {
	mu      sync.Mutex
	under   bool // a replay is under way
	waiting []*replayPart
}

// replayPart is one dashboard's part in a replay. Its actor is blocked meanwhile, so that the
// leader of the replay has exclusive access to the dashboard.
type replayPart struct {
	d    *dashboard
	base *checkpoint.Marker
	from checkpoint.Marker
	upTo messages.Position

	done chan error    // receives the result; has room for it
	lead chan struct{} // receives the turn to lead; has room for it
}

// join returns when the log has been read for c, by this call or by another.
func (r *replays) join(s *shard, c *replayPart) (err error) {
	c.done, c.lead = make(chan error, 1), make(chan struct{}, 1)
	r.mu.Lock()
	r.waiting = append(r.waiting, c)
	leads := !r.under
	r.under = true
	r.mu.Unlock()
	if !leads {
		select {
		case err := <-c.done:
			return err
		case <-c.lead:
		}
	}
	group := r.take(c)
	err = errors.New("the replay panicked")
	defer func() {
		for _, one := range group {
			one.done <- err
		}
		r.pass()
	}()
	err = s.replay(group)
	return err
}

// take removes c, and the comebacks that begin where c begins, from the waiting ones and returns
// them.
func (r *replays) take(c *replayPart) (group []*replayPart) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var others []*replayPart
	for _, one := range r.waiting {
		if one.from.Position == c.from.Position && bytes.Equal(one.from.State, c.from.State) && one.base == c.base {
			group = append(group, one)
			continue
		}
		others = append(others, one)
	}
	r.waiting = others
	return group
}

// pass gives the lead to the first waiting replayPart.
func (r *replays) pass() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		r.under = false
		return
	}
	r.waiting[0].lead <- struct{}{}
}

// replay folds the log from the common start of the group to the positions where its members want
// to be. It ends at a record beyond these positions, or when the log has lost records. It retries a
// slow or unreachable log as long as the shard lives.
func (s *shard) replay(group []*replayPart) error {
	s.host.tallies.replays.Add(1)
	h, err := s.history(group[0].base, group[0].from)
	if err != nil {
		return err
	}
	p := &replaying{shard: s, history: h, at: group[0].from.Position, wanted: map[messages.Key]*replayPart{}}
	for _, c := range group {
		p.wanted[c.d.key] = c
		if c.upTo.After(p.upTo) {
			p.upTo = c.upTo
		}
	}
	const least, most = 50 * time.Millisecond, 5 * time.Second
	for wait := least; ; wait = min(2*wait, most) {
		at := p.at
		err := p.read()
		if err == nil || isLoss(err) || s.life.Err() != nil {
			return err
		}
		if p.at != at {
			wait = least
		}
		s.warn("replay", "reading the log again for dashboards stopped, trying again", "error", err, "after", wait)
		if !eventlog.Pause(s.life, wait) {
			return s.life.Err()
		}
	}
}

// replaying is a replay under way.
type replaying struct {
	shard   *shard
	history *history
	at      messages.Position // position of the last record read
	upTo    messages.Position
	wanted  map[messages.Key]*replayPart // dashboards whose replay has not failed
}

// read opens the log behind p.at and continues to the end of the replay, or until the log returns
// an error.
func (p *replaying) read() error {
	s := p.shard
	log, err := s.openBehind(p.at, s.holes())
	if err != nil {
		return err
	}
	defer log.Close()
	for {
		records, err := p.next(log)
		if err != nil {
			return err
		}
		s.progress.Add(1)
		if p.at.IsZero() && !s.host.config.Log.IsFirst(records[0].Position) {
			s.host.tallies.truncated.Add(1)
			s.logger().Error("the log does not go back to the beginning of dashboards: they are folded from the oldest record kept",
				"dashboards", len(p.wanted), "oldest", records[0].Position)
		}
		for i := range records {
			if done, err := p.fold(&records[i]); done || err != nil {
				return err
			}
		}
	}
}

// fold folds one record. done says that no record behind it is wanted.
func (p *replaying) fold(r *messages.Record) (done bool, err error) {
	s := p.shard
	if err := s.life.Err(); err != nil {
		return false, err // checked here because folding one record may be slow
	}
	if r.Position.After(p.upTo) {
		if p.upTo.After(p.at) {
			s.host.tallies.truncated.Add(1)
			s.logger().Error("the log has nothing left of the end of a history that is folded again", "after", p.at, "up_to", p.upTo, "next", r.Position)
		}
		return true, nil
	}
	if !r.Position.After(p.at) || inHole(s.holes(), r.Position) {
		return false, nil
	}
	at := p.history.observe(s, *r)
	p.at = r.Position
	c := p.wanted[r.Key]
	if c != nil && r.Kind != messages.KindTick && !at.Repeated && !r.Position.After(c.upTo) && !c.d.replayed(r, at, p.history) {
		delete(p.wanted, r.Key) // it is replayed once more, without that record
	}
	return r.Position == p.upTo, nil
}

// silence is how long a replay waits for a record before it appends a tick.
const silence = 2 * time.Second

// next waits for records. The log once held the records that the replay wants. If it is only slow,
// they come. If it has lost everything up to its end, nothing comes. Then a tick behind its end is
// the record beyond the wanted positions that ends the replay.
func (p *replaying) next(log eventlog.Reader) ([]messages.Record, error) {
	const atOnce = 512
	s := p.shard
	ctx, cancel := context.WithTimeout(s.life, silence)
	defer cancel()
	records, err := log.Next(ctx, atOnce)
	if err == nil || ctx.Err() == nil || s.life.Err() != nil {
		return records, err
	}
	if err := s.appendTick(); err != nil && s.life.Err() == nil {
		return nil, fmt.Errorf("the log is silent, and a tick behind its end: %w", err)
	}
	return log.Next(s.life, atOnce)
}

// history holds the shard's state while a dashboard's records are replayed.
type history struct {
	time     *fold.ShardState // gives the log time at each record
	defaults *fold.ShardState // gives the tenants' default definitions
}

// history returns the state at the marker where the replay begins: log time, default definitions,
// and which forwarded records have come. A replay from the oldest record learns all of this anew.
// If that marker's state is gone, which takes two corrupt entries and a crash, append times give
// the log time, the default definitions are those of the newest marker, and the copy of a record
// that was forwarded before is not recognized.
func (s *shard) history(base *checkpoint.Marker, from checkpoint.Marker) (*history, error) {
	fresh := fold.NewShardState(s.host.config.Table)
	if from.Position.IsZero() || base == nil {
		return &history{fresh, fresh}, nil
	}
	known := from.State
	if known == nil {
		known = base.State
	}
	state, err := fold.DecodeShardState(known, s.host.config.Table)
	if err != nil {
		return nil, fmt.Errorf("decode the shard's state: %w", err)
	}
	if from.State != nil {
		return &history{state, state}, nil
	}
	return &history{fresh, state}, nil
}

// observe applies a record to the state as the shard did when it dispatched the record.
func (h *history) observe(s *shard, r messages.Record) fold.At {
	if r.Key.Dashboard != "" && !s.atHome(r.Key) {
		h.time.ObserveMisrouted(r)
		return fold.At{}
	}
	at, _ := h.time.Observe(r) // errors were logged when the shard first saw the record
	if h.time != h.defaults {
		_, _ = h.defaults.Observe(r)
	}
	return at
}
