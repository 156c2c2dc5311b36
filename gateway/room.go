package gateway

import (
	"context"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// room bounds the bytes of all bodies in work, and of each client's bodies. A body that finds no
// room gets that of the slowest body that is still being received: one of the same client if the
// client's share is used up, otherwise of any client. The slowest body is cut.
type room struct {
	all, each int64 // bytes of all clients, and of one client

	mu      sync.Mutex
	held    int64
	clients map[netip.Addr]*holder // clients with a body in work
	reading map[*body]struct{}     // bodies that are still being received
	// closed when room was taken or returned, or a body was cut; nil: nobody waits
	changed chan struct{}
}

// holder is what one client holds.
type holder struct {
	address netip.Addr
	held    int64
	bodies  int
}

func newRoom(all, each int64) *room {
	return &room{all: all, each: each, clients: map[netip.Addr]*holder{}, reading: map[*body]struct{}{}}
}

// wayTime is how long a cut body may take to return its room.
const wayTime = 2 * time.Second

// enter begins a body of a client. It holds nothing yet.
func (r *room) enter(b *body, client netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.clients[client]
	if h == nil {
		h = &holder{address: client}
		r.clients[client] = h
	}
	h.bodies++
	b.holder = h
	r.reading[b] = struct{}{}
}

// take takes n bytes for b. It may wait for a body that is cut for it.
func (r *room) take(ctx context.Context, b *body, n int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if b.cut {
			return errCut
		}
		own := b.holder.held+n > r.each
		if !own && r.held+n <= r.all {
			r.held += n
			b.holder.held += n
			b.reserved += n
			r.tell()
			return nil
		}
		if !r.makeWay(b, n, own) {
			return errNoRoom
		}
		changed := r.change()
		r.mu.Unlock()
		given := waitFor(ctx, changed)
		r.mu.Lock()
		if !given {
			return errNoRoom
		}
	}
}

var (
	errNoRoom = wire.Errorf(wire.CodeLimit, "limit process-body-bytes is reached: too many bytes of bodies are in work: try again")
	errCut    = wire.Errorf(wire.CodeLimit, "limit process-body-bytes is reached: too many bytes of bodies are in work, and this body's came slowest: try again")
)

func waitFor(ctx context.Context, changed <-chan struct{}) bool {
	patience := time.NewTimer(wayTime)
	defer patience.Stop()
	select {
	case <-changed:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}

// makeWay reports whether cut bodies will make way for n bytes of b. It cuts another body if they
// do not.
func (r *room) makeWay(b *body, n int64, own bool) bool {
	held, limit := r.held, r.all
	if own {
		held, limit = b.holder.held, r.each
	}
	now := time.Now()
	var slowest *body
	for o := range r.reading {
		switch {
		case own && o.holder != b.holder, o.reserved == 0:
		case o.cut:
			held -= o.reserved
		case slowest == nil || o.slower(slowest, now):
			slowest = o
		}
	}
	switch {
	case held+n <= limit:
		return true
	case slowest == nil || slowest == b:
		return false
	}
	slowest.cut = true
	slowest.interrupt()
	r.tell() // it may be waiting for room itself
	return true
}

// came notes that n bytes came for b.
func (r *room) came(b *body, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	b.rate = b.rateAt(now) + float64(n)/rateTime.Seconds()
	b.last = now
	if b.window += n; b.window >= b.of.least && !b.cut {
		b.window = 0
		b.extend(now)
	}
}

// whole ends the reception of b. What b holds stays held, and b is not cut any more. It returns
// false if b was cut.
func (r *room) whole(b *body) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reading, b)
	return !b.cut
}

// give returns n bytes of b.
func (r *room) give(b *body, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held -= n
	b.holder.held -= n
	b.reserved -= n
	r.tell()
}

// leave ends b.
func (r *room) leave(b *body) {
	r.give(b, b.reserved)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reading, b)
	if b.holder.bodies--; b.holder.bodies == 0 {
		delete(r.clients, b.holder.address)
	}
}

// change returns a channel that is closed at the next change.
func (r *room) change() <-chan struct{} {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

func (r *room) tell() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

const (
	// time constant of a body's rate: older bytes count less and less
	rateTime  = time.Second
	graceTime = time.Second      // a body is not judged before
	leastTime = 10 * time.Second // bodies.least bytes must come in each such interval
	wholeTime = time.Minute      // the whole body must come within it
)

// rateAt returns how fast the bytes of b come, in bytes a second.
func (b *body) rateAt(now time.Time) float64 {
	return b.rate * math.Exp(-now.Sub(b.last).Seconds()/rateTime.Seconds())
}

// slower reports whether b is cut before o. A body that has just begun has no rate yet: of two such
// bodies, the one that has been silent for longer is cut.
func (b *body) slower(o *body, now time.Time) bool {
	young, other := now.Sub(b.began) < graceTime, now.Sub(o.began) < graceTime
	switch {
	case young != other:
		return other
	case young:
		return b.last.Before(o.last)
	}
	return b.rateAt(now) < o.rateAt(now)
}
