package actors

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// assignment is one shard's place on this host. It exists from Load until its runner, a goroutine,
// has cleaned up after Drop. A shard that is loaded again, even while its predecessor is still
// ending, is another *shard of the same assignment. Host.mu guards it.
type assignment struct {
	number int
	wanted bool          // true between Load and Drop
	owned  bool          // the last value given to Own; never true without wanted
	shard  *shard        // the shard that runs or is ending
	gone   chan struct{} // closed by Drop: ends the subscriptions to this shard

	loss    loss          // the loss in the log that the next shard starts with
	faults  int           // number of recent faults of its shards
	faultAt time.Duration // when the last fault was, since the host's start
}

// Load begins to load the shard and returns at once. It does nothing if the shard is here or
// loading already. It also does nothing while the host cannot reach the log: the caller asks again
// as long as nobody claims the shard. A load that fails is retried with backoff until it succeeds
// or Drop is called.
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
	if p.shard == nil { // otherwise its runner sees that it is wanted again
		p.shard = h.newShard(p)
		s := p.shard
		h.runners.Go(func() { h.runAssigned(p, s) })
	}
}

// Drop ends the shard without a last checkpoint and returns at once. Its subscriptions end, its
// memory is released, and the local copies of a shared store are removed. It does nothing if the
// shard is not here.
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

// Own says whether this host acts for the shard from now on, as soon as the shard is live. The
// owner appends ticks, forwards records, writes the checkpoints for all hosts, and releases records
// of the log. Own does nothing if the shard is not here.
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

// OwnAll loads and owns every shard of the log, as a single machine does. The host is not ready
// until all loads are requested, even if the first shards are live before.
func (h *Host) OwnAll() {
	h.ordering.Store(true)
	defer h.ordering.Store(false)
	for n := range h.config.Log.Partitions() {
		h.Load(n)
		h.Own(n, true)
	}
}

// Claims returns the claims of the shards that the host holds, in order of number. A shard that has
// stopped, makes no progress, or is cut off from its log has no claim.
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

// succeed makes the next shard of the assignment, after the old one was dropped and wanted again or
// has to be loaded anew. It returns nil if no shard is wanted.
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

// forget makes a shared store remove its local copies of the shard. They only take room.
func (h *Host) forget(number int) {
	h.config.Crashes.Shard(number).Forget()
	store := h.config.Checkpoints
	if !store.Shared() {
		return // the store holds the only copy
	}
	if err := store.Forget(number); err != nil {
		h.config.Logger.Warn("what the store keeps here of a dropped shard could not be removed", "shard", number, "error", err)
	}
}

// mayLoadAgain reports whether a shard whose log has lost records after the position is loaded
// again: the first time, and whenever the shard has come further since.
func (h *Host) mayLoadAgain(s *shard, at messages.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.assignments[s.number]
	return p != nil && p.shard == s && p.loss.reload(at)
}

// current returns the assignment's shard if it is here. An assignment that waits for the end of a
// dropped shard has none.
func (p *assignment) current() (*shard, error) {
	switch {
	case p == nil || !p.wanted:
		return nil, feed.ErrNotHere
	case p.gone != p.shard.gone:
		return nil, feed.ErrStarting
	}
	return p.shard, nil
}

// all returns the shards that run or are ending.
func (h *Host) all() []*shard {
	h.mu.RLock()
	defer h.mu.RUnlock()
	shards := make([]*shard, 0, len(h.assignments))
	for _, p := range h.assignments {
		shards = append(shards, p.shard)
	}
	return shards
}

// held returns the shards that are here, in order of number.
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

// shardOf returns the shard of the dashboard's home partition.
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
