package actors

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// assignment is one shard's on this host, from its Load until its runner, a goroutine, has put away
// what was dropped. A shard that is loaded again, also while its predecessor is still ending, is
// another *shard of the same assignment. Host.mu guards it.
type assignment struct {
	number int
	wanted bool          // between Load and Drop
	owned  bool          // as Own said last; never without wanted
	shard  *shard        // the one that lives or is ending
	gone   chan struct{} // closed by Drop: the subscriptions of this stay end

	loss    loss          // of the log, as the next shard finds it
	faults  int           // of its shards lately
	faultAt time.Duration // when the last was, since the host's start
}

// Load begins to load the shard, and returns at once. It does nothing where the shard is here or
// loading already, nor while the host itself can't reach the log: it is asked again, as long as
// nobody claims the shard. What fails is tried again, with backoff, until it works or Drop says
// that it needn't.
func (h *Host) Load(number int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.begun || h.closed.Load() {
		return
	}
	p := h.assignments[number]
	if (p == nil || !p.wanted) && h.deaf() {
		return
	}
	if p == nil {
		p = &assignment{number: number}
		h.assignments[number] = p
	}
	if p.wanted {
		return
	}
	p.wanted, p.gone = true, make(chan struct{})
	h.tallies.loads.Add(1)
	if p.shard == nil { // else its runner finds that it is wanted again
		p.shard = h.newShard(p)
		s := p.shard
		h.runners.Go(func() { h.runAssigned(p, s) })
	}
}

// Drop ends the shard, without a last checkpoint, and returns at once: its subscriptions end, its
// memory is given back, what a shared store keeps of it here is forgotten. It does nothing where
// the shard isn't here.
func (h *Host) Drop(number int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.assignments[number]
	if p == nil || !p.wanted {
		return
	}
	h.tallies.drops.Add(1)
	p.wanted, p.owned, p.loss, p.faults = false, false, loss{}, 0
	close(p.gone)
	p.shard.owned.Store(false)
	p.shard.end()
}

// Own says whether this host acts for the shard from now on, as soon as it is live: ticks,
// forwards, checkpoints for all, what the log may drop. Of a shard that isn't here it says nothing.
func (h *Host) Own(number int, own bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.assignments[number]
	if p == nil || !p.wanted || p.owned == own {
		return
	}
	p.owned = own
	p.shard.owned.Store(own)
	p.shard.tell(&beat{})
}

// OwnAll loads and owns every shard that the log has: a single machine does. Until all are ordered
// the host is not ready, though those that were ordered first may be live already.
func (h *Host) OwnAll() {
	h.ordering.Store(true)
	defer h.ordering.Store(false)
	for n := range h.config.Log.Partitions() {
		h.Load(n)
		h.Own(n, true)
	}
}

// Claims are what the host says of the shards it holds, in order of number. One that has stopped,
// or is cut off from its log, is not among them.
func (h *Host) Claims() []messages.Claim {
	shards := h.held()
	claims := make([]messages.Claim, 0, len(shards))
	for _, s := range shards {
		if c, ok := s.claim(); ok {
			claims = append(claims, c)
		}
	}
	return claims
}

// runAssigned runs the shards of an assignment, one after another, until the assignment is not
// wanted any more.
func (h *Host) runAssigned(p *assignment, s *shard) {
	for s != nil {
		s.run()
		select {
		case <-s.gone:
			h.forget(p.number)
		default:
		}
		s = h.succeed(p, s)
	}
}

// succeed makes the next shard of the assignment: one that is loaded again, after it was dropped or
// had to begin anew. It gives nil where there is none.
func (h *Host) succeed(p *assignment, old *shard) *shard {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer close(old.left)
	if !p.wanted || h.closed.Load() {
		delete(h.assignments, p.number)
		return nil
	}
	next := h.newShard(p)
	if p.gone == old.gone {
		if why := old.faulty.Load(); why != nil {
			next.wait, next.refused = p.faulted(*why, h.now())
			next.trouble.Store(why)
		}
		old.handOver(next)
	}
	p.shard = next
	return next
}

// forget has a shared store drop what it keeps here. Without that nothing is wrong, it takes room.
func (h *Host) forget(number int) {
	h.config.Crashes.Shard(number).Forget()
	store := h.config.Checkpoints
	if !store.Shared() {
		return // it is all there is
	}
	if err := store.Forget(number); err != nil {
		h.config.Logger.Warn("what the store keeps here of a dropped shard could not be removed", "shard", number, "error", err)
	}
}

// mayLoadAgain reports whether a shard whose log has lost records after the position is loaded
// again: the first time, and whenever it has come further since.
func (h *Host) mayLoadAgain(s *shard, at messages.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.assignments[s.number]
	return p != nil && p.shard == s && p.loss.reload(at)
}

// current is the shard of that number if it is here. An assignment that waits for another shard's
// end has none.
func (p *assignment) current() (*shard, error) {
	switch {
	case p == nil || !p.wanted:
		return nil, feed.ErrNotHere
	case p.gone != p.shard.gone:
		return nil, feed.ErrStarting
	}
	return p.shard, nil
}

// all are the shards that live or are ending.
func (h *Host) all() []*shard {
	h.mu.RLock()
	defer h.mu.RUnlock()
	shards := make([]*shard, 0, len(h.assignments))
	for _, p := range h.assignments {
		shards = append(shards, p.shard)
	}
	return shards
}

// held are the shards that are here, in order of number.
func (h *Host) held() []*shard {
	h.mu.RLock()
	shards := make([]*shard, 0, len(h.assignments))
	for _, p := range h.assignments {
		if s, err := p.current(); err == nil {
			shards = append(shards, s)
		}
	}
	h.mu.RUnlock()
	slices.SortFunc(shards, func(a, b *shard) int { return cmp.Compare(a.number, b.number) })
	return shards
}

// shardOf is the shard of the dashboard's home.
func (h *Host) shardOf(k messages.Key) (*shard, error) {
	if h.closed.Load() {
		return nil, feed.ErrClosed
	}
	n, err := h.config.Log.PartitionOf(k)
	if err != nil {
		return nil, err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	s, err := h.assignments[n].current()
	if err != nil {
		return nil, fmt.Errorf("shard %d of %s: %w", n, k, err)
	}
	return s, nil
}
