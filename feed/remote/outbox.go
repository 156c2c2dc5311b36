package remote

import (
	"slices"
	"sync"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote/envelope"
)

// outbox holds what waits to be sent to a gateway: at most Window bytes by guess, or one payload. Feeds put answers in;
// the gateway's goroutine takes them out.
type outbox struct {
	wake chan struct{}

	mu     sync.Mutex
	ready  []ready
	bytes  int
	hungry []*interest // their answers found no room: asked again when there is
	closed bool
}

// ready is a payload before it is written: an answer or a reply.
type ready struct {
	interest *interest
	ask      uint64
	update   *feed.Update
	reply    *envelope.Reply
	size     int // guessed

	written *envelope.Payload // it was, and found no room in its message
}

// answer takes an answer in, or remembers who has to be asked again.
func (o *outbox) answer(i *interest, u *feed.Update) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := ready{interest: i, ask: i.ask.Load(), update: u, size: sizeOf(u)}
	if !o.put(r) && !i.hungry && !o.closed {
		i.hungry = true
		o.hungry = append(o.hungry, i)
	}
}

// reply takes a reply in, or drops it: its request comes again.
func (o *outbox) reply(r *envelope.Reply, size int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.put(ready{reply: r, size: size})
}

func (o *outbox) put(r ready) bool {
	if o.closed || o.bytes > 0 && o.bytes+r.size > Window {
		return false
	}
	o.bytes += r.size
	o.ready = append(o.ready, r)
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return true
}

// take gives all that is ready, to be given back by done as it is sent.
func (o *outbox) take() []ready {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.ready
	o.ready = nil
	return all
}

// done says that so many bytes, by guess, are sent, and gives some of those who can be asked again.
func (o *outbox) done(size int) []*interest {
	const atOnce = 256 // so that the answers do not find the room taken once more
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= size
	if o.bytes > Window/2 || len(o.hungry) == 0 {
		return nil
	}
	n := min(atOnce, len(o.hungry))
	some := slices.Clone(o.hungry[:n])
	o.hungry = slices.Delete(o.hungry, 0, n)
	for _, i := range some {
		i.hungry = false
	}
	return some
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.ready, o.hungry = true, nil, nil
}
