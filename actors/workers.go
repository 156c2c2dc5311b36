package actors

import (
	"runtime"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// workers is the dispatcher of the dashboards' actors. It runs the mailboxes that have messages, as
// many at once as there are processors, in the order in which they became busy, and a few messages
// of one mailbox before the next has its turn. The library's own dispatcher starts a goroutine for
// each mailbox. A batch for ten thousand dashboards would then need ten thousand stacks, which
// outweigh the dashboards. A batch of one record each would cost more in wake-ups and growing
// stacks than its folds. A dashboard that has to wait for a store or the log steps aside meanwhile,
// so that another mailbox takes its place.
type workers struct {
	joined sync.WaitGroup

	mu      sync.Mutex
	waiting []func() // mailboxes that have messages and no worker; bounded by what is in flight
	next    int      // index of the next mailbox in waiting
	running int      // workers that run a mailbox and are not aside
	aside   int
	idle    int         // they wait for hand
	hand    chan func() // gives an idle worker its next mailbox; nil: end
	stopped bool
}

const (
	// maxAside is how many dashboards of a host are loaded at the same time.
	maxAside = 128
	// maxIdle is how many idle workers are kept.
	maxIdle = 32
)

// maxRunning is how many workers fold at the same time.
var maxRunning = runtime.GOMAXPROCS(0)

var _ actor.Dispatcher = (*workers)(nil)

// Schedule implements actor.Dispatcher. It has a worker run a mailbox.
func (w *workers) Schedule(run func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running < maxRunning {
		w.start(run)
		return
	}
	w.push(run)
}

// Throughput implements actor.Dispatcher. It returns how many messages of one mailbox are processed
// before the next mailbox has its turn.
func (w *workers) Throughput() int { return 4 }

// push queues the mailbox behind the others. Call it with mu held.
func (w *workers) push(run func()) {
	if len(w.waiting) == cap(w.waiting) && w.next > len(w.waiting)/2 {
		n := copy(w.waiting, w.waiting[w.next:])
		clear(w.waiting[n:])
		w.waiting, w.next = w.waiting[:n], 0
	}
	w.waiting = append(w.waiting, run)
}

// start gives the mailbox to an idle worker, or to a new one. Call it with mu held.
func (w *workers) start(run func()) {
	w.running++
	if w.idle > 0 {
		w.idle--
		w.hand <- run // an idle worker receives without taking the lock
		return
	}
	w.joined.Go(func() { w.work(run) })
}

// stepAside runs blocking code in a worker, while another worker takes its place unless too many
// are aside.
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

// comeBack may let one worker too many run. take corrects this.
func (w *workers) comeBack() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.aside--
	w.running++
}

// stop returns when every worker has ended. Messages that come later are still processed.
func (w *workers) stop() {
	w.mu.Lock()
	w.stopped = true
	for ; w.idle > 0; w.idle-- {
		w.hand <- nil
	}
	w.mu.Unlock()
	w.joined.Wait()
}

// work runs mailboxes until none waits and enough other workers are idle.
func (w *workers) work(run func()) {
	for run != nil {
		run()
		var stays bool
		if run, stays = w.take(); stays {
			run = <-w.hand
		}
	}
}

// take returns the next waiting mailbox. If there is none, or too many workers run, the worker
// either stays idle or ends.
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

// pop takes the first waiting mailbox.
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

// keepWaiting is how much capacity of waiting is kept.
const keepWaiting = 1024
