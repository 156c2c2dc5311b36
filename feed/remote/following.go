package remote

import (
	"context"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
)

// shard is a shard that a gateway follows or reads. The client's mu guards it.
type shard struct {
	number        int
	source        *source         // nil: no node serves it
	here          context.Context // ends when the source changes
	leave         context.CancelFunc
	lag           int64 // ms, as its source reports it
	subscriptions map[*subscription]struct{}
	requests      int
}

// follow keeps every shard at the source that the directory names.
func (c *Client) follow() {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.moved:
		case <-beat.C:
		}
		c.resolve()
	}
}

// resolve asks the directory, never while it holds mu: the directory may hold a lock of its own
// while it calls Moved.
func (c *Client) resolve() {
	c.mu.Lock()
	numbers := make([]int, 0, len(c.shards))
	for n, sh := range c.shards {
		if len(sh.subscriptions) == 0 && sh.requests == 0 {
			sh.leave()
			delete(c.shards, n)
			continue
		}
		numbers = append(numbers, n)
	}
	c.mu.Unlock()
	for _, n := range numbers {
		peer, ok := c.cfg.Directory.Source(n)
		c.mu.Lock()
		if sh := c.shards[n]; sh != nil {
			c.point(sh, peer, ok)
		}
		c.mu.Unlock()
	}
}

// shard returns the shard with the number. It creates the shard if needed, and then has the
// directory asked.
func (c *Client) shard(n int) *shard {
	sh := c.shards[n]
	if sh == nil {
		sh = &shard{number: n, subscriptions: map[*subscription]struct{}{}}
		sh.here, sh.leave = context.WithCancel(c.ctx)
		c.shards[n] = sh
		c.Moved()
	}
	return sh
}

// point moves a shard to the peer at once: it closes the subscriptions at the old source and opens
// them at the new one.
func (c *Client) point(sh *shard, peer link.Peer, ok bool) {
	var to *source
	if ok && !c.closed {
		to = c.source(peer)
	}
	if to == sh.source {
		return
	}
	for s := range sh.subscriptions {
		s.leave()
	}
	sh.leave()
	sh.here, sh.leave = context.WithCancel(c.ctx)
	sh.source, sh.lag = to, 0
	for s := range sh.subscriptions {
		s.join()
	}
}

// source returns the source of the peer, and creates and starts it if needed; nil if the link
// allows no more peers.
func (c *Client) source(peer link.Peer) *source {
	s := c.sources[peer]
	if s != nil {
		return s
	}
	conn, err := c.cfg.Link.Dial(peer)
	if err != nil {
		c.cfg.Logger.Debug("cannot connect to an owner", "owner", peer.String(), "error", err)
		return nil
	}
	s = &source{client: c, peer: peer, conn: conn, wake: make(chan struct{}, 1), subscriptions: map[uint64]*subscription{}, heardAt: time.Now()}
	c.sources[peer] = s
	c.wg.Go(s.run)
	return s
}
