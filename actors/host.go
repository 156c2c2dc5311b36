package actors

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Host is a node's life: the shards that it was told to load, and their dashboards. It implements
// feed.Feed.
//
// It owns every goroutine under it: a runner for each shard, which owns the shard's own, at most
// maxWorkers for all dashboards, and the beat. Stop returns when they have ended.
type Host struct {
	config    Config
	system    *actor.ActorSystem
	root      *actor.RootContext
	programs  *programs
	warnings  warnings
	collector *collector
	tallies   tallies // of all shards, also of those that have gone
	started   time.Time

	memoryAt time.Duration // the beat's own
	freeing  atomic.Bool   // memory is being given back
	free     func()        // gives it back

	closed   atomic.Bool
	settled  atomic.Bool        // the first shards were all live once
	ordering atomic.Bool        // the first shards are not all ordered yet
	done     chan struct{}      // closed when Stop begins
	ended    chan struct{}      // closed when all goroutines have ended after that
	life     context.Context    // ends when nothing is waited for any more
	end      context.CancelFunc //

	mu          sync.RWMutex
	begun       bool
	assignments map[int]*assignment
	deafAt      time.Duration // when the log was found out of reach last, since started; 0: never

	loads    chan struct{} // has one in it for each shard that loads in its turn
	suspects chan struct{} // has one in it while a shard reads that the process may have ended at

	workers workers // run the dashboards
	runners sync.WaitGroup
	beating sync.WaitGroup
}

// New makes a host that does nothing yet.
func New(c Config) (*Host, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	h := &Host{config: c, programs: newPrograms(c.Table), started: time.Now(), free: debug.FreeOSMemory, done: make(chan struct{}), ended: make(chan struct{}), assignments: map[int]*assignment{}, suspects: make(chan struct{}, 1), loads: make(chan struct{}, loadsAtOnce)}
	h.life, h.end = context.WithCancel(context.Background())
	h.system = actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(quiet{c.Logger.Handler()}) }),
		actor.WithDeadLetterThrottleInterval(time.Millisecond))
	// Almost nobody is found by name: one map of the registry's thousand is enough.
	names := h.system.ProcessRegistry.LocalPIDs
	names.LocalPIDs = slices.Clone(names.LocalPIDs[:1])
	h.root = h.system.Root.Copy().WithGuardian(h)
	h.collector = newCollector(h)
	return h, nil
}

// Start begins, with no shard. It may be called once.
func (h *Host) Start(context.Context) error {
	if h.config.Metrics != nil {
		if err := h.config.Metrics.Register(h.collector); err != nil {
			return fmt.Errorf("register the metrics of actors: %w", err)
		}
	}
	h.beating.Go(h.beat)
	h.mu.Lock()
	h.begun = true
	h.mu.Unlock()
	return nil
}

// Stop takes a last checkpoint of every shard and ends everything. Where ctx ends first, it gives
// up what is not done: nothing is lost by that, the next start replays more. Where it has ended
// already, no last checkpoint is begun. It returns when every goroutine has ended, or stopGrace
// after ctx where one can't be ended: Go has no means against a fold that never returns. Then the
// error says which shards are left, and whoever calls Stop again waits for them again.
func (h *Host) Stop(ctx context.Context) error {
	if ctx.Err() != nil {
		h.end()
	}
	if !h.closed.Swap(true) {
		h.beginStop()
	}
	select {
	case <-h.ended:
		return nil
	default:
	}
	select {
	case <-h.ended:
		return nil
	case <-ctx.Done():
	}
	h.end()
	t := time.NewTimer(stopGrace)
	defer t.Stop()
	select {
	case <-h.ended:
		return fmt.Errorf("stop the shards: %w", ctx.Err())
	case <-t.C:
		return fmt.Errorf("stop the shards: %w; these are still busy with a record: %v", ctx.Err(), h.unended())
	}
}

// beginStop has everything end; ended is closed when it has.
func (h *Host) beginStop() {
	h.config.Crashes.Ending()
	close(h.done)
	go func() {
		defer close(h.ended)
		h.beating.Wait()
		if h.config.Metrics != nil {
			h.config.Metrics.Unregister(h.collector)
		}
		h.runners.Wait()
		h.workers.stop()
		h.end()
		h.system.Shutdown()
	}()
}

// stopGrace is how long Stop waits at the end of its context for what is under way: a record at
// most of each dashboard.
const stopGrace = 5 * time.Second

// unended are the shards whose runners have not ended.
func (h *Host) unended() []int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Sorted(maps.Keys(h.assignments))
}

// beat wakes the shards a few times a second.
func (h *Host) beat() {
	every := max(time.Millisecond, min(250*time.Millisecond, h.config.CheckpointEvery/4, h.config.SleepAfter/4))
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-h.done:
			return
		}
		for _, s := range h.held() {
			s.watch(every)
			if !s.beating.Swap(true) {
				s.tell(&beat{})
			}
		}
		h.checkMemory()
	}
}

// checkMemory gives memory back to the system that the collector has freed or could free, where it
// is much: after many dashboards were loaded or went to sleep the runtime alone would keep it for
// minutes.
func (h *Host) checkMemory() {
	const pause, worthwhile = 5 * time.Second, 16 << 20
	if h.now()-h.memoryAt < pause {
		return
	}
	h.memoryAt = h.now()
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
		h.giveBack()
	}
}

// giveBack takes as long as a collection does: the beat goes on meanwhile, and finds at most one
// under way.
func (h *Host) giveBack() {
	if h.freeing.Swap(true) {
		return
	}
	h.beating.Go(func() {
		defer h.freeing.Store(false)
		h.free()
	})
}

// now is the time since the host was made.
func (h *Host) now() time.Duration { return time.Since(h.started) }

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

// everyShard is the shard of a warning for all.
const everyShard = -1

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
