package remote

import (
	"slices"
	"sync"

	"github.com/dashfeed/dashfeed/feed"
)

// outbox holds what waits to be sent to a gateway: updates with an estimated size of at most
// Waiting bytes, or a single larger one. Dashboards that changed and found no room are kept as a
// set, without their updates, and are asked for their changes when there is room. Feeds put updates
// in and never wait; the gateway's sender takes them out.
type outbox struct {
	wake chan struct{}

	mu     sync.Mutex
	ready  []ready
	bytes  int
	dirty  []*interest
	closed bool
}

// ready is an answer that is not written yet.
type ready struct {
	interest *interest
	ask      uint64
	update   *feed.Update
	size     int // estimated bytes
}

// answer stores an update, or remembers that there is one.
func (o *outbox) answer(i *interest, u *feed.Update) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := ready{interest: i, ask: i.ask.Load(), update: u, size: sizeOf(u)}
	switch {
	case o.closed:
	case o.bytes > 0 && o.bytes+r.size > Waiting:
		if !i.dirty {
			i.dirty = true
			o.dirty = append(o.dirty, i)
		}
	default:
		o.bytes += r.size
		o.ready = append(o.ready, r)
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

// take returns everything that is ready. The sender reports it with done as it is sent.
func (o *outbox) take(into []ready) []ready {
	o.mu.Lock()
	defer o.mu.Unlock()
	into = append(into, o.ready...)
	clear(o.ready)
	o.ready = o.ready[:0]
	return into
}

// done frees an estimated number of sent bytes, and returns some interests that can be asked again.
func (o *outbox) done(size int) []*interest {
	const atOnce = 256 // a limit, so that their answers find room
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= size
	if o.bytes > Waiting/2 || len(o.dirty) == 0 {
		return nil
	}
	n := min(atOnce, len(o.dirty))
	some := slices.Clone(o.dirty[:n])
	o.dirty = slices.Delete(o.dirty, 0, n)
	for _, i := range some {
		i.dirty = false
	}
	return some
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.ready, o.dirty = true, nil, nil
}
