package actors

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// newShard makes an assignment's shard, which has still to be loaded. Its actor runs from now on,
// so that viewers can subscribe at once.
func (h *Host) newShard(p *assignment) *shard {
	s := &shard{
		host: h, number: p.number, gone: p.gone,
		credit:  make(chan *batch, h.config.Batches),
		broken:  make(chan error, 1),
		stopped: make(chan struct{}),
		skipped: make(chan struct{}),
		decided: make(chan struct{}),
		left:    make(chan struct{}),
		viewers: map[*subscription]struct{}{},
		entries: map[messages.Key]*entry{},
		state:   fold.NewShardState(h.config.Table),
		began:   h.now(),
		core:    core.New(h.coreConfig(p.number)),
	}
	s.lacking.Store(-1)
	s.keepHoles()
	s.publish()
	s.life, s.end = context.WithCancel(h.life)
	s.loss = p.loss.take()
	s.attempt.mark = h.config.Crashes.Shard(p.number)
	s.owned.Store(p.owned)
	s.props = actor.PropsFromProducer(s.produce, actor.WithMailbox(newMailbox), actor.WithDispatcher(&h.workers))
	for range h.config.Batches {
		s.credit <- &batch{}
	}
	s.pid = h.root.Spawn(actor.PropsFromProducer(func() actor.Actor { return s }, actor.WithMailbox(newMailbox)))
	return s
}

// run runs the shard from load to end, on its runner's goroutine. A shard that is dropped ends at
// once. If the host stops, the shard ends with a last checkpoint. If its reader finds that records
// are lost, it ends to be loaded again.
func (s *shard) run() {
	reading, cancel := context.WithCancel(s.life)
	defer s.end()
	if s.refused != nil {
		s.fail(s.refused)
	} else {
		s.spawn(&s.feeders, "the load", func() { s.load(reading) })
	}
	last := false
	select {
	case <-s.life.Done():
	case <-s.host.done:
		last = s.life.Err() == nil
	case err := <-s.broken:
		s.logger().Warn("the shard is loaded again from the newest checkpoint", "reason", err)
		s.end()
	case <-s.stopped:
	}
	cancel()
	s.feeders.Wait()
	s.tell(core.Stop{Last: last})
	<-s.stopped
	s.actors.Wait()
	s.work.Wait()
}

// load fetches the newest checkpoint and begins to feed the shard. Fetching may take seconds if the
// checkpoint comes from another machine.
func (s *shard) load(ctx context.Context) {
	const least, most = 50 * time.Millisecond, 5 * time.Second
	if s.wait > 0 && !eventlog.Pause(ctx, s.wait) {
		return
	}
	done, ok := s.loadInTurn(ctx)
	if !ok {
		return
	}
	defer done()
	for wait := least; ; wait = min(2*wait, most) {
		asked := s.host.now()
		l, err := s.loadCheckpoint(ctx)
		if err == nil {
			s.heard()
			if err := s.crashed(l.marker.Position); err != nil {
				s.fail(err)
				s.awaitNewer(ctx, s.attempt.span.After, err)
				return
			}
			if !s.takeCare(ctx, l.marker.Position) {
				return
			}
			s.tell(l)
			s.spawn(&s.feeders, "the prober", func() { s.probe(ctx) })
			r := &reader{shard: s, position: l.marker.Position, holes: l.state.Holes(), loss: s.loss}
			defer s.attempt.stop()
			r.run(ctx)
			return
		}
		if ctx.Err() != nil {
			return
		}
		done() // retrying may take long, so let other shards load
		s.unheard(asked)
		s.trouble.Store(&err)
		s.warn("load", "the checkpoint can't be loaded, trying again", "error", err, "after", wait)
		if !eventlog.Pause(ctx, wait) {
			return
		}
	}
}

const (
	// loadsAtOnce is how many shards of a host load at the same time. If hundreds loaded at once,
	// they would keep each other, and the live shards, from their logs for seconds.
	loadsAtOnce = 16
	// loadTurn is how long one load may take before the next one begins beside it.
	loadTurn = 5 * time.Second
)

// loadInTurn waits until fewer than loadsAtOnce other shards load. The shard's turn ends when done
// is called, when the shard is live or has failed, or after loadTurn.
func (s *shard) loadInTurn(ctx context.Context) (done func(), ok bool) {
	select {
	case s.host.loads <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	done = sync.OnceFunc(func() { <-s.host.loads })
	s.spawn(&s.feeders, "the end of the load", func() {
		limit := time.NewTimer(loadTurn)
		defer limit.Stop()
		select {
		case <-s.decided:
		case <-limit.C:
		case <-ctx.Done():
		}
		done()
	})
	return done, true
}

// loadCheckpoint reads the shard's checkpoint from the store. If no checkpoint is whole, the shard
// begins with the oldest record kept.
func (s *shard) loadCheckpoint(ctx context.Context) (*loaded, error) {
	population := fold.NewPopulation(fold.MaxDashboards, fold.MaxTenantDashboards)
	none := &loaded{state: fold.NewShardState(s.host.config.Table), population: population}
	if s.loss.state == lossRewound {
		if err := s.dropOwn(); err != nil {
			return nil, err
		}
	}
	m, passedOver, err := s.host.config.Checkpoints.Load(ctx, s.number)
	if passedOver != nil {
		s.host.tallies.corrupt.Add(1)
		s.logger().Error("the newest checkpoint is not whole, the one before is taken", "error", passedOver)
	}
	if errors.Is(err, checkpoint.ErrNone) {
		return none, nil
	}
	if err != nil && !errors.Is(err, checkpoint.ErrCorrupt) {
		return nil, err
	}
	var state *fold.ShardState
	if err == nil {
		state, err = fold.DecodeShardState(m.State, s.host.config.Table)
	}
	if err != nil {
		s.host.tallies.corrupt.Add(1)
		s.logger().Error("no checkpoint is whole: the shard is folded anew from the oldest record kept", "error", err)
		return none, nil
	}
	l := &loaded{state: state, marker: m, found: true, population: population}
	s.enterStored(l)
	return l, nil
}

// enterStored enters all dashboards in the store, and what their windows wait for. If a summary
// cannot be read, the windows of its dashboard become final when it wakes.
func (s *shard) enterStored(l *loaded) {
	err := s.host.config.Checkpoints.List(s.number, "", "", "", func(e checkpoint.Entry) bool {
		l.population.Enter(e.Key)
		// otherwise listing the dashboards logs it
		if _, waits, err := decodeSummary(e.Key, e.Summary); err == nil {
			l.waits = append(l.waits, waits...)
		}
		return true
	})
	if err != nil && !errors.Is(err, checkpoint.ErrNone) {
		s.warn("waits", "the dashboards of a checkpoint can't be listed", "error", err)
	}
}

// begin takes over what was loaded.
func (s *shard) begin(m *loaded) {
	s.state, s.population = m.state, m.population
	s.core.Sleep(m.waits)
	if m.found {
		s.known.base = &m.marker
	}
	s.known.full, s.known.largest, s.known.logTime = s.population.Full(), s.population.Largest(), s.state.LogTime()
	s.keepHoles()
	s.trouble.Store(nil)
	s.core.Load(s.look(), m.marker.Position, m.found)
}

// handOver transfers the subscriptions to the shard's successor. The shard itself has ended.
func (s *shard) handOver(next *shard) {
	s.viewing.Lock()
	defer s.viewing.Unlock()
	s.successor = next
	for sub := range s.viewers {
		next.viewers[sub] = struct{}{}
		sub.move(next)
	}
	s.viewers = nil
}
