package remote

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// subscription is a viewer's interest in a dashboard on another node. It has another id at each
// source.
type subscription struct {
	client *Client
	key    messages.Key
	viewer feed.Viewer
	shard  *shard

	// The client's mu guards these fields.
	id       uint64 // at its source
	opened   bool   // it has been sent on the source's stream
	waits    bool   // it is in the source's list of changes to send
	told     uint64 // number of the ask that was sent on the stream
	ask      uint64 // number of the last ask; 0: never asked
	place    feed.Place
	answered bool
	schema   uint64 // hash of the known schema
	closed   bool

	delivering sync.Mutex // lock it before the client's mu
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
	if c.subscriptions >= c.cfg.Subscriptions {
		return nil, fmt.Errorf("subscribe to %s: %w: at most %d", k, errSubscriptions, c.cfg.Subscriptions)
	}
	s := &subscription{client: c, key: k, viewer: v, shard: c.shard(n)}
	c.subscriptions++
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
	s.ask++
	if from := s.shard.source; from != nil {
		from.touch(s)
	}
}

// Close implements feed.Subscription. It waits for a running Deliver.
func (s *subscription) Close() {
	s.client.mu.Lock()
	if !s.closed {
		s.leave()
		s.closed = true
		s.client.subscriptions--
		delete(s.shard.subscriptions, s)
	}
	s.client.mu.Unlock()
	s.delivering.Lock()
	s.shut = true
	s.delivering.Unlock()
}

// join adds the subscription to its shard's source.
func (s *subscription) join() {
	s.client.ids++
	s.id, s.opened, s.waits, s.told = s.client.ids, false, false, 0
	if to := s.shard.source; to != nil {
		to.subscriptions[s.id] = s
		to.touch(s)
	}
}

// leave removes it.
func (s *subscription) leave() {
	if from := s.shard.source; from != nil {
		from.close(s)
	}
}

// asks reports whether an ask waits for its answer.
func (s *subscription) asks() bool { return s.ask > 0 && !s.answered }

// append appends what was not yet sent to the source.
func (s *subscription) append(b []byte) []byte {
	s.waits = false
	if !s.opened {
		s.opened = true
		at := len(b)
		b = binary.AppendUvarint(binary.AppendUvarint(begin(b, itemOpen), s.id), uint64(s.shard.number))
		b = end(binary.BigEndian.AppendUint64(appendKey(b, s.key), s.schema), at)
	}
	if s.asks() && s.told != s.ask {
		s.told = s.ask
		at := len(b)
		b = binary.AppendUvarint(binary.AppendUvarint(begin(b, itemAsk), s.id), s.ask)
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(s.place.Epoch)), s.place.Version)
		b = end(appendPosition(b, s.place.Position), at)
	}
	return b
}

// accept delivers an answer of the source, unless it answers an earlier ask, or the subscription
// has moved or is closed.
func (s *subscription) accept(from *source, id, ask uint64, r *reader) error {
	s.delivering.Lock()
	defer s.delivering.Unlock()
	if s.shut {
		return nil
	}
	u, err := readUpdate(r, s.key, &s.seen)
	c := s.client
	c.mu.Lock()
	if err != nil {
		s.seen, s.schema = schemaSeen{}, 0 // so that the schema is sent again
		c.mu.Unlock()
		return err
	}
	s.schema = s.seen.hash
	useful := !s.closed && s.asks() && s.ask == ask && s.shard.source == from && s.id == id
	s.answered = s.answered || useful
	c.mu.Unlock()
	if useful {
		c.stats.updates.Inc()
		s.viewer.Deliver(u)
	}
	return nil
}
