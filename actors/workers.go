package actors

import "sync"

// workers run the dashboards that have mail. The library starts a goroutine for each; a batch for ten thousand
// dashboards would take ten thousand stacks, which outweigh the dashboards. A worker may block while its dashboard is
// loaded or replayed: so there are many more than processors, but not one a dashboard. A few that have nothing to do stay: a new
// goroutine copies its stack twice until it is as deep as a fold, which took a fifth of a node's CPU where batches are small.
type workers struct {
	joined sync.WaitGroup

	mu      sync.Mutex
	waiting []*mailbox // they have mail and no worker; bounded by what is in flight
	next    int        // in waiting
	running int
	idle    int           // they wait for hand
	hand    chan *mailbox // nil: go
	stopped bool
}

const (
	// maxWorkers is how many dashboards of a host run at once.
	maxWorkers = 128
	// maxIdle is how many workers stay that have nothing to do.
	maxIdle = 32
)

// schedule has the mailbox's mail processed.
func (w *workers) schedule(m *mailbox) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == maxWorkers {
		w.waiting = append(w.waiting, m)
		return
	}
	w.running++
	if w.idle > 0 {
		w.idle--
		w.hand <- m // who is idle takes it without the lock
		return
	}
	w.joined.Go(func() { w.work(m) })
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
		m.run()
		stays := false
		if m, stays = w.take(); stays {
			m = <-w.hand
		}
	}
}

// take is the next mailbox that waits; without one the worker stays, or goes.
func (w *workers) take() (m *mailbox, stays bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == len(w.waiting) {
		w.waiting, w.next = nil, 0
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
	m = w.waiting[w.next]
	w.waiting[w.next] = nil
	w.next++
	return m, false
}
