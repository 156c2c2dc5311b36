package actors

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// shard is the actor of one partition. It owns the table of its awake dashboards, and only it wakes
// dashboards and puts them to sleep. It never blocks: goroutines load, read, probe, write and
// append, and send it their results (feeders; at most one saver, one tick and one append of
// forwards at a time). These goroutines belong to the shard, and its runner joins them.
type shard struct {
	host   *Host
	number int
	pid    *actor.PID
	props  *actor.Props  // props of its dashboards
	born   messages.Key  // key of the dashboard that props makes next
	credit chan *batch   // free batches
	gone   chan struct{} // closed when the assignment is dropped
	began  time.Duration // when the shard was made
	loss   loss          // loss in the log, as decided before the load

	wait    time.Duration // wait before the load, after a fault of its predecessor
	refused error         // why the shard must not be loaded; nil: it may

	life    context.Context // ends when the shard is dropped or has ended
	end     context.CancelFunc
	broken  chan error     // from the reader: the shard must be loaded again
	stopped chan struct{}  // closed when the actor has ended
	skipped chan struct{}  // closed when the shard has continued behind a loss
	decided chan struct{}  // closed when the shard is live for the first time, or fails
	left    chan struct{}  // closed when a successor has replaced the shard, or there is none
	actors  sync.WaitGroup // its dashboards
	feeders sync.WaitGroup // load, reader and probe
	work    sync.WaitGroup // savers, ticks and forwards

	// Other goroutines read these fields.
	view    atomic.Pointer[view]
	owned   atomic.Bool
	failure atomic.Pointer[error] // why the shard has stopped
	faulty  atomic.Pointer[error] // the first panic outside a fold
	trouble atomic.Pointer[error] // why it is not loaded yet, or cannot read; nil: no trouble
	// since when the log is silent to questions, since the host's start; 0: it answers
	silent   atomic.Int64
	waiting  atomic.Bool  // the reader waits for new records
	inflight atomic.Int32 // number of batches in flight
	// records left to fold when the log was last asked; -1: unknown
	lacking  atomic.Int64
	beating  atomic.Bool   // a beat is in the mailbox
	writing  atomic.Bool   // a saver waits for dashboards' states
	progress atomic.Uint64 // grows while dashboards make progress
	handled  atomic.Uint64 // messages that the actor has received
	// how long the shard has had work and made no progress; 0: not stuck
	stuck atomic.Int64

	deciding sync.Once
	attempt  attempt

	watching watching // used by the host's beat only

	// used by the prober only: when it last asked for lacking, since the host's start
	lagAsked time.Duration

	replays replays // replays for dashboards

	viewing sync.Mutex
	// subscriptions that are not closed; nil: moved to the successor
	viewers   map[*subscription]struct{}
	successor *shard

	// Only the actor uses the fields below.
	core      *core.Shard
	state     *fold.ShardState
	known     view // the shell's part of the view
	entries   map[messages.Key]*entry
	largest   int // the most entries that the map held
	awake     int
	idle      idle
	deadlines deadlines // deadlines of awake dashboards

	population *fold.Population // the dashboards that have a record
	held       []*batch         // not dispatched because too many dashboards are awake
	// dashboards whose viewers have seen more than they contain, and since when; held open
	ahead map[*entry]time.Duration

	dirty     []*entry       // written by the next checkpoint
	written   []messages.Key // written by the last checkpoint; the next one writes them again
	job       *savingJob     // the checkpoint under way
	light     bool           // buffers were released since the last record came
	forwarder forwarder
	rest      busyTotal // counts of sleeping dashboards since the last scrape
}

// tell sends the shard's actor a message.
func (s *shard) tell(message any) { s.host.root.Send(s.pid, message) }

// send sends a dashboard a message that returns. Until then the dashboard stays awake.
func (s *shard) send(e *entry, message any) {
	e.inflight++
	s.host.root.Send(e.pid, message)
}

// Receive implements actor.Actor. The host handles its panics. After any fault the shard's state
// may be inconsistent, so the shard only ends.
func (s *shard) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Stopping:
		s.stopDashboards()
		s.disown()
	case *actor.Stopped:
		defer close(s.stopped)
		s.host.collector.take(s)
	default:
		s.handled.Add(1)
		if s.faulty.Load() == nil {
			s.receive(m)
			s.perform()
		} else if _, last := m.(core.Stop); last {
			c.Stop(s.pid)
		}
	}
}

func (s *shard) receive(message any) {
	switch m := message.(type) {
	case *loaded:
		s.begin(m)
	case *batch:
		s.take(m)
	case *folded:
		s.complete(m.batch)
	case *turn:
		s.acknowledge(m)
	case *woken:
		s.learnWaits(m)
	case *skipping:
		s.skip(m)
	case core.Input:
		s.core.Step(s.look(), m)
	case *subscribing:
		s.subscribe(m.sub)
	case *asking:
		s.ask(m)
	case *closing:
		s.unsubscribe(m.sub)
	case query:
		m()
	case *saved:
		s.endCheckpoint(m)
	case *beat:
		s.beating.Store(false)
		s.beat()
	}
}

func (s *shard) stopDashboards() {
	for _, e := range s.entries {
		if e.pid != nil {
			s.host.root.Stop(e.pid)
			e.pid = nil
		}
	}
}

// beat does what is due by the clock.
func (s *shard) beat() {
	now := s.look()
	if s.core.Loaded() && !s.core.Stopping() {
		s.sweep(now.Time)
		s.lighten(now.Time)
		s.yieldIfDue(now.Time)
		now = s.look()
	}
	w := core.Windows{Deadline: core.NoDeadline, LogTime: s.state.LogTime(), Wall: time.Now().UnixMilli(), Busy: s.inflight.Load() > 0}
	if e := s.deadlines.first(); e != nil {
		w.Deadline = e.due
	}
	s.core.Beat(now, w)
}

// fail stops the shard until it is loaded again. Readers of its dashboards and Troubles report err.
func (s *shard) fail(err error) {
	s.failure.Store(&err)
	s.attempt.stop()
	s.decide()
	s.logger().Error("the shard has stopped", "error", err)
}

// decide notes that the load has succeeded or failed.
func (s *shard) decide() { s.deciding.Do(func() { close(s.decided) }) }

func (s *shard) logger() *slog.Logger { return s.host.config.Logger.With("shard", s.number) }

// warn logs a repeated warning at most once a minute for each kind. That the broker cannot be
// reached concerns every shard at once and in many ways, so it is logged once for the whole host.
func (s *shard) warn(kind, message string, args ...any) {
	own := s.host.warnings.allow(s.number, kind, s.host.now())
	switch {
	case !isUnreachable(args):
		if own {
			s.logger().Warn(message, args...)
		}
	case s.host.warnings.allow(everyShard, "unreachable", s.host.now()):
		s.logger().Warn("the log or its checkpoints can't be reached: this shard has found it first, readyz names others", append([]any{"what", message}, args...)...)
	case own:
		s.logger().Debug(message, args...)
	}
}

func isUnreachable(args []any) bool {
	return slices.ContainsFunc(args, func(a any) bool {
		err, ok := a.(error)
		return ok && errors.Is(err, eventlog.ErrUnreachable)
	})
}
