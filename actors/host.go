package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// Host is a node's life: the shards of its log and their dashboards. It implements feed.Feed.
//
// It owns every goroutine under it: the actors' (a shard's while it has mail, at most maxWorkers for all dashboards), one
// reader a shard, at most one saver and one tick a shard, and the beat. Stop returns when they have ended.
type Host struct {
	config    Config
	system    *actor.ActorSystem
	root      *actor.RootContext
	programs  *programs
	warnings  warnings
	collector *collector
	started   time.Time
	shards    []*shard

	tidiedAt time.Duration // the beat's own

	closed  atomic.Bool
	done    chan struct{}      // closed when Stop begins
	life    context.Context    // ends when nothing is waited for any more
	end     context.CancelFunc //
	reading context.CancelFunc // ends the readers and the beat

	workers workers // run the dashboards
	actors  sync.WaitGroup
	readers sync.WaitGroup
	work    sync.WaitGroup // savers and ticks
}

// New makes a host that does nothing yet.
func New(c Config) (*Host, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	h := &Host{config: c, programs: newPrograms(c.Table), started: time.Now(), done: make(chan struct{})}
	h.life, h.end = context.WithCancel(context.Background())
	h.system = actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(quiet{c.Logger.Handler()}) }),
		actor.WithDeadLetterThrottleInterval(time.Millisecond))
	// Almost nobody is found by name: one map of the registry's thousand is enough.
	names := h.system.ProcessRegistry.LocalPIDs
	names.LocalPIDs = slices.Clone(names.LocalPIDs[:1])
	h.root = h.system.Root.Copy().WithGuardian(neverRestart{c.Logger})
	h.collector = newCollector(h)
	return h, nil
}

// Start loads the checkpoint of every shard and begins to read its log from there. It returns before they have caught
// up: Ready tells. It may be called once.
func (h *Host) Start(ctx context.Context) error {
	for n := range h.config.Log.Partitions() {
		s, err := h.load(ctx, n)
		if err != nil {
			h.end()
			return fmt.Errorf("load shard %d: %w", n, err)
		}
		h.shards = append(h.shards, s)
	}
	reading, cancel := context.WithCancel(h.life)
	h.reading = cancel
	for _, s := range h.shards {
		h.actors.Add(1)
		s.pid = h.root.Spawn(actor.PropsFromProducer(func() actor.Actor { return s }))
		r := &reader{shard: s, position: s.position}
		h.readers.Go(func() { r.run(reading) })
	}
	h.readers.Go(func() { h.beat(reading) })
	if h.config.Metrics != nil {
		if err := h.config.Metrics.Register(h.collector); err != nil {
			return errors.Join(fmt.Errorf("register the metrics of actors: %w", err), h.Stop(ctx))
		}
	}
	return nil
}

// load makes a shard as its newest checkpoint says.
func (h *Host) load(ctx context.Context, n int) (*shard, error) {
	s := &shard{
		host: h, number: n,
		credit:  make(chan *batch, h.config.Batches),
		entries: map[messages.Key]*entry{},
		state:   fold.NewShardState(h.config.Table),
		// Shards take turns with their checkpoints.
		savedAt: h.now() - h.config.CheckpointEvery*time.Duration(n)/time.Duration(h.config.Log.Partitions()),
	}
	s.props = actor.PropsFromProducer(s.produce, actor.WithMailbox(func() actor.Mailbox { return &mailbox{workers: &h.workers} }))
	for range h.config.Batches {
		s.credit <- &batch{}
	}
	if err := s.loadCheckpoint(ctx); err != nil {
		return nil, err
	}
	target, err := h.config.Log.Last(ctx, n)
	if err != nil {
		return nil, err
	}
	s.target = target
	s.logTime.Store(s.state.LogTime())
	if !target.After(s.position) {
		s.phase.Store(phaseLive)
	}
	return s, nil
}

func (s *shard) loadCheckpoint(ctx context.Context) error {
	m, passedOver, err := s.host.config.Checkpoints.Load(ctx, s.number)
	if passedOver != nil {
		s.tallies.corrupt.Add(1)
		s.logger().Error("the newest checkpoint is not whole, the one before is taken", "error", passedOver)
	}
	if errors.Is(err, checkpoint.ErrNone) {
		return nil
	}
	if err != nil && !errors.Is(err, checkpoint.ErrCorrupt) {
		return err
	}
	var state *fold.ShardState
	if err == nil {
		state, err = fold.DecodeShardState(m.State, s.host.config.Table)
	}
	if err != nil {
		s.tallies.corrupt.Add(1)
		s.logger().Error("no checkpoint is whole: the shard is folded anew from the oldest record kept", "error", err)
		return nil
	}
	s.state, s.position = state, m.Position
	s.base.Store(&m)
	return nil
}

// Stop takes a last checkpoint of every shard and ends everything. Where ctx ends first, it gives up what is not done:
// nothing is lost by that, the next start replays more.
func (h *Host) Stop(ctx context.Context) error {
	if h.closed.Swap(true) {
		return nil
	}
	close(h.done)
	if h.reading != nil {
		h.reading()
	}
	h.readers.Wait()
	if h.config.Metrics != nil {
		h.config.Metrics.Unregister(h.collector)
	}
	for _, s := range h.shards {
		if s.pid != nil {
			s.tell(&stopping{})
		}
	}
	ended := make(chan struct{})
	go func() {
		h.actors.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		h.end()
		return fmt.Errorf("stop the shards: %w", ctx.Err())
	}
	h.end()
	h.work.Wait()
	h.workers.joined.Wait()
	h.system.Shutdown()
	return nil
}

// beat wakes the shards a few times a second.
func (h *Host) beat(ctx context.Context) {
	every := max(time.Millisecond, min(250*time.Millisecond, h.config.CheckpointEvery/4, h.config.SleepAfter/4))
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		for _, s := range h.shards {
			if !s.beating.Swap(true) {
				s.tell(&beat{})
			}
		}
		h.tidy()
	}
}

// tidy gives memory back to the system that the collector has freed or could free, where it is much: after many
// dashboards were loaded or went to sleep the runtime alone would keep it for minutes.
func (h *Host) tidy() {
	const pause, worthwhile = 5 * time.Second, 16 << 20
	if h.now()-h.tidiedAt < pause {
		return
	}
	h.tidiedAt = h.now()
	m := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(m)
	live := m[0].Value.Uint64()
	held := m[1].Value.Uint64() + m[2].Value.Uint64() + m[3].Value.Uint64()
	if held > live+max(worthwhile, live/4) {
		debug.FreeOSMemory()
	}
}

// now is the time since the host was made.
func (h *Host) now() time.Duration { return time.Since(h.started) }

// neverRestart is the supervisor: a restarted actor would be an empty one, and its numbers wrong. Dashboards recover
// themselves, so that an actor fails here only by a fault of this package.
type neverRestart struct{ logger *slog.Logger }

// HandleFailure implements actor.SupervisorStrategy.
func (n neverRestart) HandleFailure(_ *actor.ActorSystem, by actor.Supervisor, who *actor.PID, _ *actor.RestartStatistics, reason, message any) {
	n.logger.Error("an actor failed and is stopped", "actor", who.Id, "reason", reason, "message", fmt.Sprintf("%T", message))
	by.StopChildren(who)
}

// quiet lets the actor library's warnings through and not its chat.
type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

// warnings keeps what happens over and over from filling the log.
type warnings struct {
	mu   sync.Mutex
	last map[warning]time.Duration // one a shard and kind
}

type warning struct {
	shard int
	kind  string
}

// allow reports whether a minute has passed since the last one.
func (w *warnings) allow(shard int, kind string, now time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, seen := w.last[warning{shard, kind}]
	if seen && now-last < time.Minute {
		return false
	}
	if w.last == nil {
		w.last = map[warning]time.Duration{}
	}
	w.last[warning{shard, kind}] = now
	return true
}
