package actors

import (
	"runtime"
	"sync"
)

// workers run the dashboards that have mail: as many at once as there are processors, in the order
// in which they got it, and some messages of one before the next has its turn. The library starts a
// goroutine for each; a batch for ten thousand dashboards would take ten thousand stacks, which
// outweigh the dashboards, and a batch of one record each would cost more in wake-ups, and in
// stacks that grow until they are as deep as a fold, than its folds. A dashboard that has to wait
// for a store or the log steps aside meanwhile, so that another has its place.
type workers struct {
	joined sync.WaitGroup

	mu      sync.Mutex
	waiting []*mailbox // they have mail and no worker; bounded by what is in flight
	next    int        // in waiting
	running int        // they work on a mailbox and are not aside
	aside   int
	idle    int           // they wait for hand
	hand    chan *mailbox // nil: go
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

// schedule has the mailbox's mail processed.
func (w *workers) schedule(m *mailbox) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running < maxRunning {
		w.start(m)
		return
	}
	w.push(m)
}

// push has the mailbox wait behind the others. It is called with mu held.
func (w *workers) push(m *mailbox) {
	if len(w.waiting) == cap(w.waiting) && w.next > len(w.waiting)/2 {
		n := copy(w.waiting, w.waiting[w.next:])
		clear(w.waiting[n:])
		w.waiting, w.next = w.waiting[:n], 0
	}
	w.waiting = append(w.waiting, m)
}

// start gives the mailbox to a worker that is idle, or to a new one. It is called with mu held.
func (w *workers) start(m *mailbox) {
	w.running++
	if w.idle > 0 {
		w.idle--
		w.hand <- m // who is idle takes it without the lock
		return
	}
	w.joined.Go(func() { w.work(m) })
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
func (w *workers) work(m *mailbox) {
	for m != nil {
		more, stays := m.run(), false
		if m, stays = w.take(m, more); stays {
			m = <-w.hand
		}
	}
}

// take is the next mailbox that waits, after the last one, which waits again if it has more;
// without one, or where too many run, the worker stays, or goes.
func (w *workers) take(last *mailbox, more bool) (m *mailbox, stays bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if more {
		w.push(last)
	}
	if w.next < len(w.waiting) && w.running <= maxRunning {
		return w.pop(), false
	}
	w.running--
	if w.stopped || w.idle == maxIdle {
		return nil, false
	}
	if w.hand == nil {
		w.hand = make(chan *mailbox, maxIdle)
	}
	w.idle++
	return nil, true
}

// pop takes the first mailbox that waits.
func (w *workers) pop() *mailbox {
	m := w.waiting[w.next]
	w.waiting[w.next] = nil
	if w.next++; w.next == len(w.waiting) {
		w.waiting, w.next = w.waiting[:0], 0
		if cap(w.waiting) > keepWaiting {
			w.waiting = nil
		}
	}
	return m
}

// keepWaiting is how much room for mailboxes that wait is kept.
const keepWaiting = 1024
