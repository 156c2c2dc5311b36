package remote

import (
	"slices"
	"sync"

	"github.com/dashfeed/dashfeed/feed"
)

// outbox is what waits to be sent to a gateway: updates of at most Waiting bytes by guess, or a
// single one, and apart from them the dashboards that have changed and found no room: a set, and no
// update of theirs. They are asked what changed when there is room. Feeds put updates in and never
// wait; the gateway's sender takes them out.
type outbox struct {
	wake chan struct{}

	mu     sync.Mutex
	ready  []ready
	bytes  int
	dirty  []*interest
	closed bool
}

// ready is an answer before it is written.
type ready struct {
	interest *interest
	ask      uint64
	update   *feed.Update
	size     int // guessed
}

// answer takes an update in, or remembers that there is one.
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

// take gives all that is ready, to be given back by done as it is sent.
func (o *outbox) take(into []ready) []ready {
	o.mu.Lock()
	defer o.mu.Unlock()
	into = append(into, o.ready...)
	clear(o.ready)
	o.ready = o.ready[:0]
	return into
}

// done says that so many bytes, by guess, are sent, and gives some of those who can be asked again.
func (o *outbox) done(size int) []*interest {
	const atOnce = 256 // so that the answers do not find the room taken once more
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
