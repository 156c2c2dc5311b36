package remote

import (
	"container/list"
	"fmt"
	"sync"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote/envelope"
	"github.com/dashfeed/dashfeed/messages"
)

// subscription is a viewer's interest in a dashboard that lives elsewhere. At each source it has another id, so that what
// a former one still sends meets nobody.
type subscription struct {
	client *Client
	key    messages.Key
	viewer feed.Viewer
	shard  *shard

	// guarded by the client's mu
	id       uint64 // at its source
	opened   uint64 // version of the source's table at which it came in
	stamp    uint64 // version at which it last changed
	element  *list.Element
	ask      uint64 // number of the last ask; 0: never asked
	place    feed.Place
	answered bool
	schema   uint64 // hash of the one known
	closed   bool

	delivering sync.Mutex // before the client's mu
	seen       schemaSeen
	shut       bool
}

// Subscribe implements feed.Feed.
func (c *Client) Subscribe(k messages.Key, v feed.Viewer) (feed.Subscription, error) {
	n, err := c.cfg.Directory.PartitionOf(k)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", k, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, feed.ErrClosed
	}
	if len(c.subscriptions) >= c.cfg.Subscriptions {
		return nil, fmt.Errorf("subscribe to %s: %w: at most %d", k, errSubscriptions, c.cfg.Subscriptions)
	}
	s := &subscription{client: c, key: k, viewer: v, shard: c.shard(n)}
	s.shard.subscriptions[s] = struct{}{}
	s.join()
	return s, nil
}

// Ask implements feed.Subscription.
func (s *subscription) Ask(at feed.Place) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.closed {
		return
	}
	s.place, s.answered = at, false
	s.again()
}

// again asks from the same place with another number.
func (s *subscription) again() {
	s.ask++
	if from := s.shard.source; from != nil {
		from.touch(s)
	}
}

// Close implements feed.Subscription. It waits for a Deliver under way.
func (s *subscription) Close() {
	s.client.mu.Lock()
	if !s.closed {
		s.leave()
		s.closed = true
		delete(s.shard.subscriptions, s)
		delete(s.client.subscriptions, s.id)
	}
	s.client.mu.Unlock()
	s.delivering.Lock()
	s.shut = true
	s.delivering.Unlock()
}

// join enters the subscription at its shard's source.
func (s *subscription) join() {
	c := s.client
	delete(c.subscriptions, s.id)
	s.id = c.nextID()
	c.subscriptions[s.id] = s
	if to := s.shard.source; to != nil {
		s.element = to.order.PushBack(s)
		to.touch(s)
		s.opened = s.stamp
	}
}

// leave takes it out again.
func (s *subscription) leave() {
	from := s.shard.source
	if from == nil {
		return
	}
	from.order.Remove(s.element)
	s.element = nil
	from.close(s.id)
}

// interest is what the source is told of it. The name goes along until the source has it.
func (s *subscription) interest(acked uint64) *envelope.Interest {
	i := &envelope.Interest{Id: s.id, Shard: uint32(s.shard.number)}
	if s.opened > acked {
		i.Tenant, i.Dashboard = s.key.Tenant, s.key.Dashboard
	}
	if s.ask > 0 && !s.answered {
		i.Ask, i.Epoch, i.Version, i.Schema = s.ask, uint32(s.place.Epoch), s.place.Version, s.schema
		i.Position = positionOut(s.place.Position)
	}
	return i
}

// accept takes an answer of the source in, unless it is an old one or the subscription is closed.
func (s *subscription) accept(from *source, a *envelope.Answer) {
	s.delivering.Lock()
	defer s.delivering.Unlock()
	if s.shut {
		return
	}
	u, err := updateIn(a.GetUpdate(), s.key, &s.seen)
	c := s.client
	c.mu.Lock()
	useful := !s.closed && !s.answered && s.ask > 0 && s.shard.source == from && s.id == a.GetInterest()
	if err != nil && useful {
		s.seen, s.schema = schemaSeen{}, 0 // so that it is sent
		s.again()
	}
	if err == nil {
		s.schema = s.seen.hash
		useful = useful && (a.GetAsk() == s.ask ||
			u.Epoch == s.place.Epoch && u.From <= s.place.Version && u.To > s.place.Version)
	}
	if useful && err == nil {
		s.answered = true
	}
	c.mu.Unlock()
	switch {
	case err != nil:
		c.refuse(from.peer, err)
	case useful:
		c.stats.updates.Inc()
		s.viewer.Deliver(u)
	}
}
