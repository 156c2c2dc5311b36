package actors

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// A fault is a panic outside a fold: of a shard's actor, of one of its goroutines, or of the shell
// of a dashboard. The library reports panics of actors to the host, the parent of all actors. After
// a fault the shard's state may be incomplete, so the shard is given up and loaded again from its
// checkpoint.

const (
	// mostFaults is how often a shard is loaded again after faults. The count starts anew once the
	// assignment had no fault for faultMemory.
	mostFaults  = 6
	faultMemory = 10 * time.Minute

	// wait before the first load after a fault; doubles each time
	firstFaultWait = 100 * time.Millisecond
)

// caught is a panic with its stack, as a mailbox passes it to the supervisor.
type caught struct {
	reason any
	stack  []byte
}

// fault ends the shard. It may be called any number of times.
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

// spawn runs one of the shard's goroutines. A panic in it ends the shard, not the process.
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

// disown lets another host lead. The actor calls it when it is stopped, after a fault or not. It
// must not prevent the end of the actor.
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

// childOf separates the shard's name in the library from the dashboard's own part of the name.
const childOf = "/"

// HandleFailure implements actor.SupervisorStrategy. The host is the parent of the actors of its
// shards and of their dashboards. It stops an actor that panics and loads its shard again. It does
// not restart the actor, which would be empty.
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

// faulted counts a fault of the assignment's shard. It returns how long the next shard waits before
// it is loaded, or an error after too many faults.
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
