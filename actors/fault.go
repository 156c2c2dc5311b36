package actors

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
)

// A fault is a panic outside a fold: of a shard's actor, of one of its goroutines, of the shell of
// a dashboard. Then nobody knows what the shard lacks, so it is given up as it is and loaded again
// from its checkpoint.

const (
	// mostFaults is how often a shard is loaded again for that, until the assignment has gone
	// without one for faultMemory.
	mostFaults  = 6
	faultMemory = 10 * time.Minute

	firstFaultWait = 100 * time.Millisecond // before it is loaded again; twice as long each time
)

// fault ends the shard's life. It is called in the deferred function that caught the panic, any
// number of times.
func (s *shard) fault(where string, caught any) {
	err := fmt.Errorf("%s panicked: %v", where, caught)
	s.host.tallies.faults.Add(1)
	s.logger().Error("a fault of the program's own: the shard is loaded again", "error", err, "stack", string(debug.Stack()))
	s.faulty.CompareAndSwap(nil, &err)
	s.end()
}

// spawn runs one of the shard's goroutines. Its panic is the shard's, not the process's.
func (s *shard) spawn(of *sync.WaitGroup, what string, do func()) {
	of.Go(func() {
		defer func() {
			if caught := recover(); caught != nil {
				s.fault(what, caught)
			}
		}()
		do()
	})
}

// abandon is the actor's part in that: what it holds may be in no order, so that only the actors
// under it are ended.
func (s *shard) abandon() {
	defer s.host.root.Stop(s.pid)
	s.over = true
	s.owned.Store(false)
	defer s.stopDashboards()
	if store, shared := s.host.config.Checkpoints.(checkpoint.Shared); shared && s.core.Leading() {
		store.Lead(s.number, false)
	}
}

// afterFault receives in place of an actor that panicked.
func (s *shard) afterFault(message any) {
	switch message.(type) {
	case *stopping:
		s.abandon()
	case *actor.Stopped:
		s.ended()
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
