package gateway

import (
	"context"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// room bounds the bytes of all bodies in work, and those of each client's. A body that finds no
// room gets that of the slowest whose bytes still come: of the same client where the client's share
// is taken, else of all. That one is cut.
type room struct {
	all, each int64 // bytes of everybody, and of one client

	mu      sync.Mutex
	held    int64
	clients map[netip.Addr]*holder // who has a body in work
	reading map[*body]struct{}     // bodies whose bytes still come
	// closed when room was taken or given back, or a body cut; nil: nobody waits for it
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

// wayTime is how long a cut body may take to give its room back.
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

// take takes n bytes for b, which may wait for a body that is cut for it.
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
	errNoRoom = wire.Errorf(wire.CodeLimit, "too many bytes of bodies are in work: try again")
	errCut    = wire.Errorf(wire.CodeLimit, "too many bytes of bodies are in work, and this body's came slowest: try again")
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

// makeWay reports whether bodies that are cut will make way for n bytes of b, and cuts one more
// where they do not.
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
	r.tell() // it may wait for room itself
	return true
}

// came takes note of bytes that came for b.
func (r *room) came(b *body, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	b.rate = b.rateAt(now) + float64(n)/rateTime.Seconds()
	b.last = now
	if b.window += n; b.window >= leastBytes && !b.cut {
		b.window = 0
		b.extend(now)
	}
}

// whole ends reading. What is held stays held; it is not cut any more. It is false where b was cut.
func (r *room) whole(b *body) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reading, b)
	return !b.cut
}

// give gives back n bytes of b's.
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

// change is closed at the next change.
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
	// over which a body's rate is taken: what came before counts less and less
	rateTime  = time.Second
	graceTime = time.Second      // before which it is not judged
	leastTime = 10 * time.Second // in each of which leastBytes have to come
	wholeTime = time.Minute      // in which the whole body has to come

	leastBytes = 10 << 10
)

// rateAt is how fast b's bytes come, bytes a second.
func (b *body) rateAt(now time.Time) float64 {
	return b.rate * math.Exp(-now.Sub(b.last).Seconds()/rateTime.Seconds())
}

// slower reports whether b rather than o is cut. One that has just begun has no rate yet: who is
// silent for longer goes.
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
