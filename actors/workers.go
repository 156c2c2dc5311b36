package actors

import (
	"runtime"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// workers are the dispatcher of the dashboards' actors. They run those that have mail: as many at
// once as there are processors, in the order in which they got it, and some messages of one before
// the next has its turn. The library starts a goroutine for each; a batch for ten thousand
// dashboards would take ten thousand stacks, which outweigh the dashboards, and a batch of one
// record each would cost more in wake-ups, and in stacks that grow until they are as deep as a
// fold, than its folds. A dashboard that has to wait for a store or the log steps aside meanwhile,
// so that another has its place.
type workers struct {
	joined sync.WaitGroup

	mu      sync.Mutex
	waiting []func() // mailboxes that have mail and no worker; bounded by what is in flight
	next    int      // in waiting
	running int      // they work on a mailbox and are not aside
	aside   int
	idle    int         // they wait for hand
	hand    chan func() // nil: go
	stopped bool
}

const (
	// maxAside is how many dashboards of a host are brought up at once.
	maxAside = 128
	// maxIdle is how many workers stay that have nothing to do.
	maxIdle = 32
)

// maxRunning is how many workers fold at once.
var maxRunning = runtime.GOMAXPROCS(0)

var _ actor.Dispatcher = (*workers)(nil)

// Schedule implements actor.Dispatcher: it has a mailbox run.
func (w *workers) Schedule(run func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running < maxRunning {
		w.start(run)
		return
	}
	w.push(run)
}

// Throughput implements actor.Dispatcher: so many messages of one dashboard are processed before
// the next one has its turn.
func (w *workers) Throughput() int { return 4 }

// push has the mailbox wait behind the others. It is called with mu held.
func (w *workers) push(run func()) {
	if len(w.waiting) == cap(w.waiting) && w.next > len(w.waiting)/2 {
		n := copy(w.waiting, w.waiting[w.next:])
		clear(w.waiting[n:])
		w.waiting, w.next = w.waiting[:n], 0
	}
	w.waiting = append(w.waiting, run)
}

// start gives the mailbox to a worker that is idle, or to a new one. It is called with mu held.
func (w *workers) start(run func()) {
	w.running++
	if w.idle > 0 {
		w.idle--
		w.hand <- run // who is idle takes it without the lock
		return
	}
	w.joined.Go(func() { w.work(run) })
}

// stepAside does what blocks, in a worker, while another works in its place: as long as not too
// many are aside.
func (w *workers) stepAside(do func()) {
	if !w.leave() {
		do()
		return
	}
	defer w.comeBack()
	do()
}

func (w *workers) leave() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.aside == maxAside {
		return false
	}
	w.aside++
	w.running--
	if w.next < len(w.waiting) && w.running < maxRunning {
		w.start(w.pop())
	}
	return true
}

// comeBack may make one too many run: take mends that.
func (w *workers) comeBack() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.aside--
	w.running++
}

// stop returns when every worker has ended; mail that comes later is processed all the same.
func (w *workers) stop() {
	w.mu.Lock()
	w.stopped = true
	for ; w.idle > 0; w.idle-- {
		w.hand <- nil
	}
	w.mu.Unlock()
	w.joined.Wait()
}

// work runs mailboxes until none waits and others are idle already.
func (w *workers) work(run func()) {
	for run != nil {
		run()
		var stays bool
		if run, stays = w.take(); stays {
			run = <-w.hand
		}
	}
}

// take is the next mailbox that waits; without one, or where too many run, the worker stays, or
// goes.
func (w *workers) take() (run func(), stays bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next < len(w.waiting) && w.running <= maxRunning {
		return w.pop(), false
	}
	w.running--
	if w.stopped || w.idle == maxIdle {
		return nil, false
	}
	if w.hand == nil {
		w.hand = make(chan func(), maxIdle)
	}
	w.idle++
	return nil, true
}

// pop takes the first mailbox that waits.
func (w *workers) pop() func() {
	run := w.waiting[w.next]
	w.waiting[w.next] = nil
	if w.next++; w.next == len(w.waiting) {
		w.waiting, w.next = w.waiting[:0], 0
		if cap(w.waiting) > keepWaiting {
			w.waiting = nil
		}
	}
	return run
}

// keepWaiting is how much room for mailboxes that wait is kept.
const keepWaiting = 1024
