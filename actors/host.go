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

// Host runs the shards that a node was told to load, and their dashboards. It implements feed.Feed.
//
// It owns every goroutine below it: one runner for each shard, which owns the shard's goroutines;
// the workers that run all dashboards; and the beat. Stop returns when all of them have ended.
type Host struct {
	config    Config
	system    *actor.ActorSystem
	root      *actor.RootContext
	programs  *programs
	warnings  warnings
	collector *collector
	tallies   tallies // counts of all shards, also of shards that have ended
	started   time.Time

	memoryAt time.Duration // used by the beat only
	freeing  atomic.Bool   // memory is being returned to the system
	free     func()        // returns memory to the system

	closed   atomic.Bool
	settled  atomic.Bool     // each of the first shards has become live or failed
	ordering atomic.Bool     // not all of the first shards are loaded by OwnAll yet
	done     chan struct{}   // closed when Stop begins
	ended    chan struct{}   // closed when all goroutines have ended
	life     context.Context // ends when Stop waits for nothing any more
	end      context.CancelFunc

	mu          sync.RWMutex
	begun       bool
	assignments map[int]*assignment
	// when the log was last found unreachable, since the host's start; 0: never
	deafAt time.Duration

	loads    chan struct{} // holds one element for each shard that loads in its turn
	suspects chan struct{} // holds one element while a suspected shard reads

	workers workers // run the dashboards
	runners sync.WaitGroup
	beating sync.WaitGroup
}

// New returns a host that is not started.
func New(c Config) (*Host, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	h := &Host{config: c, programs: newPrograms(c.Table), started: time.Now(), free: debug.FreeOSMemory, done: make(chan struct{}), ended: make(chan struct{}), assignments: map[int]*assignment{}, suspects: make(chan struct{}, 1), loads: make(chan struct{}, loadsAtOnce)}
	h.life, h.end = context.WithCancel(context.Background())
	h.system = actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(quiet{c.Logger.Handler()}) }),
		actor.WithDeadLetterThrottleInterval(time.Millisecond))
	// Almost no actor is found by name: one of the registry's thousand maps is enough.
	names := h.system.ProcessRegistry.LocalPIDs
	names.LocalPIDs = slices.Clone(names.LocalPIDs[:1])
	h.root = h.system.Root.Copy().WithGuardian(h)
	h.collector = newCollector(h)
	return h, nil
}

// Start starts the host without shards. Call it at most once.
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

// Stop writes a last checkpoint of every shard and ends everything. If ctx ends first, Stop gives
// up what is not done. This loses nothing: the next start replays more. If ctx has ended already,
// no last checkpoint begins. Stop returns when every goroutine has ended, or stopGrace after the
// end of ctx if one does not end: Go cannot end a fold that never returns. The error then names the
// shards that are left, and another call of Stop waits for them again.
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

// beginStop makes everything end, and closes ended when it has.
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

// stopGrace is how long Stop waits after the end of its context for what is under way: at most one
// record of each dashboard.
const stopGrace = 5 * time.Second

// unended returns the numbers of the shards whose runners have not ended.
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

// checkMemory returns memory to the system if the collector has freed, or could free, much of it.
// After many dashboards were loaded or put to sleep, the runtime alone would keep the memory for
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

// giveBack returns memory to the system. This takes as long as a garbage collection, so it does not
// block the beat. At most one is under way.
func (h *Host) giveBack() {
	if h.freeing.Swap(true) {
		return
	}
	h.beating.Go(func() {
		defer h.freeing.Store(false)
		h.free()
	})
}

// now returns the time since the host was made.
func (h *Host) now() time.Duration { return time.Since(h.started) }

// quiet passes the actor library's log lines from the level of warnings on.
type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

// warnings limits how often a repeated warning is logged.
type warnings struct {
	mu   sync.Mutex
	last map[warning]time.Duration // time of the last warning of a shard and kind
}

// everyShard is the shard number of a warning that concerns all shards.
const everyShard = -1

type warning struct {
	shard int
	kind  string
}

// allow reports whether the last warning of the shard and kind is at least a minute old.
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
