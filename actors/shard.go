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

// shard is the actor of one partition: it owns the table of its awake dashboards and is the only
// one that wakes them and puts them to sleep. It never blocks: loading, reading, probing, writing
// and appending are done by goroutines (feeders; at most one saver, one tick and one append of
// forwards at a time) that send it what they have. They are the shard's, and its runner joins them.
type shard struct {
	host   *Host
	number int
	pid    *actor.PID
	props  *actor.Props  // of its dashboards
	born   messages.Key  // whom props makes next
	credit chan *batch   // batches that nobody uses
	gone   chan struct{} // closed when the assignment is given up
	began  time.Duration // when it was made
	loss   loss          // of the log, as it was decided before the load

	wait    time.Duration // before it is loaded: its predecessor had a fault
	refused error         // why it is not loaded at all; nil: it is

	life    context.Context // ends when the shard is dropped or has ended
	end     context.CancelFunc
	broken  chan error     // the reader's: the shard has to be loaded again
	stopped chan struct{}  // closed when the actor has ended
	skipped chan struct{}  // closed when the shard has gone on behind what is lost
	decided chan struct{}  // closed when it is live for the first time, or fails
	left    chan struct{}  // closed when another shard has its place, or nobody has
	actors  sync.WaitGroup // its dashboards'
	feeders sync.WaitGroup // load, reader and probe
	work    sync.WaitGroup // savers, ticks and forwards

	// Read by others.
	view    atomic.Pointer[view]
	owned   atomic.Bool
	failure atomic.Pointer[error] // why it has stopped
	faulty  atomic.Pointer[error] // the first panic outside a fold
	trouble atomic.Pointer[error] // why it is not loaded yet; nil: nothing is wrong
	// since when the log can't be heard, since the host's start; 0: it can
	silent   atomic.Int64
	waiting  atomic.Bool  // the reader has all there is
	inflight atomic.Int32 // batches
	// records that it had still to fold when the log was last asked; -1: unknown
	lacking  atomic.Int64
	beating  atomic.Bool   // a beat is in the mailbox
	writing  atomic.Bool   // a saver waits for dashboards' states
	progress atomic.Uint64 // grows as long as dashboards do something
	handled  atomic.Uint64 // messages that the actor has taken
	// how long it has had work and done nothing; 0: it is not stuck
	stuck atomic.Int64

	deciding sync.Once
	attempt  attempt

	watching watching // the host's beat's own

	lagAsked time.Duration // the prober's own: when it last asked for lacking, since the host's start

	replays replays // of dashboards

	viewing   sync.Mutex
	viewers   map[*subscription]struct{} // that are not closed; nil: they went to the successor
	successor *shard

	// The actor's own.
	core      *core.Shard
	state     *fold.ShardState
	known     view // what the view has of the shell's
	entries   map[messages.Key]*entry
	largest   int // the most entries that the map had to hold
	awake     int
	idle      idle
	deadlines deadlines // of the awake
	waits     waits     // of the sleeping

	population *fold.Population // which dashboards have a record
	held       []*batch         // not dispatched: too many dashboards are awake
	waiters    []*reading
	// dashboards whose viewers have seen what is not in them, since when; they are held open
	ahead map[*entry]time.Duration

	dirty     []*entry       // what the next checkpoint writes
	written   []messages.Key // what the last one wrote, and the next one writes again
	job       *savingJob     // the checkpoint under way
	light     bool           // since the last record came buffers were let go
	forwarder forwarder
	rest      busyTotal // what dashboards asleep did since the last scrape
}

// tell sends the shard's actor a message.
func (s *shard) tell(message any) { s.host.root.Send(s.pid, message) }

// send sends a dashboard a message that comes back: until then the dashboard stays awake.
func (s *shard) send(e *entry, message any) {
	e.inflight++
	s.host.root.Send(e.pid, message)
}

// Receive implements actor.Actor. What panics in it is the host's to handle. After a fault, of
// whomever, what the shard holds may be in no order: it only ends.
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
		} else if _, last := m.(*stopping); last {
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
	case *opened:
		s.core.Open(s.look())
	case *skipping:
		s.skip(m)
	case *core.Empty:
		s.core.Pass(s.look(), *m)
	case *core.Naming:
		s.core.Name(s.look(), *m)
	case *subscribing:
		s.subscribe(m.sub)
	case *asking:
		s.ask(m)
	case *closing:
		s.unsubscribe(m.sub)
	case *reading:
		s.read(m)
	case *gaveUp:
		s.forget(m.reading)
	case query:
		m()
	case *saved:
		s.endCheckpoint(m)
	case *core.Forwarded:
		s.endForward(m)
	case *ticked:
		s.endTick(m)
	case *beat:
		s.beating.Store(false)
		s.beat()
	case *stopping:
		s.core.Stop(s.look(), m.last)
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
	s.core.Beat(now, s.windows())
}

// fail stops the shard until it is loaded again: readers of its dashboards and Troubles are told
// why.
func (s *shard) fail(err error) {
	s.failure.Store(&err)
	s.attempt.stop()
	s.decide()
	s.logger().Error("the shard has stopped", "error", err)
}

// decide notes that the load has come to an end, good or bad.
func (s *shard) decide() { s.deciding.Do(func() { close(s.decided) }) }

func (s *shard) logger() *slog.Logger { return s.host.config.Logger.With("shard", s.number) }

// warn logs what happens over and over at most once a minute for each kind; that the broker can't
// be reached, which every shard meets at once and in many ways, once for the whole host.
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
