package actors

import "sync"

// workers run the dashboards that have mail. The library starts a goroutine for each; a batch for ten thousand
// dashboards would take ten thousand stacks, which outweigh the dashboards. A worker may block while its dashboard is
// loaded or replayed: so there are many more than processors, but not one a dashboard.
type workers struct {
	joined sync.WaitGroup

	mu      sync.Mutex
	waiting []*mailbox // they have mail and no worker; bounded by what is in flight
	next    int        // in waiting
	running int
}

// maxWorkers is how many dashboards of a host run at once.
const maxWorkers = 128

// schedule has the mailbox's mail processed.
func (w *workers) schedule(m *mailbox) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == maxWorkers {
		w.waiting = append(w.waiting, m)
		return
	}
	w.running++
	w.joined.Go(func() { w.work(m) })
}

// work runs mailboxes until none waits.
func (w *workers) work(m *mailbox) {
	for m != nil {
		m.run()
		m = w.take()
	}
}

func (w *workers) take() *mailbox {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == len(w.waiting) {
		w.waiting, w.next = nil, 0
		w.running--
		return nil
	}
	m := w.waiting[w.next]
	w.waiting[w.next] = nil
	w.next++
	return m
}
