package actors

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// A fault is a panic outside a fold: of a shard's actor, of one of its goroutines, of the shell of
// a dashboard. Those of actors come to the host by the library, as to the parent of all. Then
// nobody knows what the shard lacks, so it is given up as it is and loaded again from its
// checkpoint.

const (
	// mostFaults is how often a shard is loaded again for that, until the assignment has gone
	// without one for faultMemory.
	mostFaults  = 6
	faultMemory = 10 * time.Minute

	firstFaultWait = 100 * time.Millisecond // before it is loaded again; twice as long each time
)

// caught is a panic with its stack, as a mailbox passes it on to the supervisor.
type caught struct {
	reason any
	stack  []byte
}

// fault ends the shard's life. It is called any number of times.
func (s *shard) fault(where string, reason any) {
	c, known := reason.(caught)
	if !known {
		c = caught{reason, debug.Stack()}
	}
	err := fmt.Errorf("%s panicked: %v", where, c.reason)
	s.host.tallies.faults.Add(1)
	s.logger().Error("a fault of the program's own: the shard is loaded again", "error", err, "stack", string(c.stack))
	s.faulty.CompareAndSwap(nil, &err)
	s.end()
}

// spawn runs one of the shard's goroutines. Its panic is the shard's, not the process's.
func (s *shard) spawn(of *sync.WaitGroup, what string, do func()) {
	of.Go(func() {
		defer func() {
			if reason := recover(); reason != nil {
				s.fault(what, reason)
			}
		}()
		do()
	})
}

// disown lets another host lead. It is what the actor does when it is stopped, after a fault or
// not, and must let it end.
func (s *shard) disown() {
	defer func() {
		if reason := recover(); reason != nil {
			s.fault("the store of checkpoints", reason)
		}
	}()
	s.owned.Store(false)
	if s.core.Leading() {
		s.host.config.Checkpoints.Lead(s.number, false)
	}
}

// childOf is what stands between a shard's name in the library and what is its dashboard's own.
const childOf = "/"

// HandleFailure implements actor.SupervisorStrategy: the host is the parent of its shards' actors
// and of their dashboards'. Who panics is stopped and not restarted, since it would be empty, and
// its shard is loaded again.
func (h *Host) HandleFailure(_ *actor.ActorSystem, by actor.Supervisor, who *actor.PID, _ *actor.RestartStatistics, reason, message any) {
	by.StopChildren(who)
	shard, _, isDashboard := strings.Cut(who.Id, childOf)
	where := "the shard's actor"
	if isDashboard {
		where = "a dashboard's actor"
		if m, ok := message.(interface{ to() *entry }); ok && m.to() != nil {
			where = "the actor of dashboard " + m.to().key.Label()
		}
	}
	for _, s := range h.all() {
		if s.pid.Id == shard {
			s.fault(where, reason)
		}
	}
}

// faulted counts a fault of the assignment's shard, and says how long the next one waits before it
// is loaded; an error: there have been enough.
func (p *assignment) faulted(why error, now time.Duration) (wait time.Duration, refused error) {
	if now-p.faultAt > faultMemory {
		p.faults = 0
	}
	p.faults++
	p.faultAt = now
	if p.faults > mostFaults {
		return 0, fmt.Errorf("loaded again %d times after faults of the program's own, the last: %w; the log has their stacks", mostFaults, why)
	}
	return firstFaultWait << (p.faults - 1), nil
}
