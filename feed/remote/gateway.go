package remote

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// gateway is a gateway that follows dashboards here, as long as its stream lasts. Its server joins
// its two goroutines: hear reads what the gateway wants, send (flush.go) writes what changed.
type gateway struct {
	server   *Server
	peer     link.Peer
	stream   grpc.ServerStream
	ctx      context.Context // the stream's context
	replaced chan struct{}   // closed when the gateway has opened another stream

	out outbox

	mu        sync.Mutex // lock it before the feed's and the outbox's mu
	closed    bool
	interests map[uint64]*interest
	shards    map[int]*shardUse
	failed    map[uint64]*interest // the feed did not accept the subscription; tried again every beat
	endings   bool                 // some subscriptions of a shard may have ended before others began

	sending // used only by the sender
}

// shardUse counts the interests in a shard.
type shardUse struct {
	interests int
	key       messages.Key    // the key of one of them: all keys of a shard have the same status
	ended     <-chan struct{} // of the interest that was opened last
}

func newGateway(s *Server, peer link.Peer, stream grpc.ServerStream) *gateway {
	g := &gateway{
		server: s, peer: peer, stream: stream, ctx: stream.Context(), replaced: make(chan struct{}),
		interests: map[uint64]*interest{}, shards: map[int]*shardUse{}, failed: map[uint64]*interest{},
	}
	g.out.wake = make(chan struct{}, 1)
	return g
}

// hear processes what the gateway wants until its stream ends.
func (g *gateway) hear() error {
	defer g.closeAll()
	var m link.Message
	for {
		if err := g.stream.RecvMsg(&m); err != nil {
			return err
		}
		if err := g.take(m); err != nil {
			g.server.refuse(g.peer, err)
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
}

// The items of a gateway's message.
const (
	itemOpen  = 'o' // id, shard, tenant, dashboard, hash of the schema that the gateway has
	itemAsk   = 'a' // id, number of the ask, epoch, version, position
	itemClose = 'c' // id
)

func (g *gateway) take(m []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := reader{b: m}
	for what, r, ok := all.item(); ok; what, r, ok = all.item() {
		id := r.uvarint()
		i := g.interests[id]
		switch {
		case what == itemOpen && i == nil:
			shard, k, known := int(r.uvarint()), messages.Key{Tenant: r.text(), Dashboard: r.text()}, r.fixed()
			if !r.failed {
				g.open(&interest{gateway: g, id: id, shard: shard, key: k, known: known})
			}
		case what == itemAsk && i != nil:
			number := r.uvarint()
			at := feed.Place{Epoch: messages.Epoch(r.uvarint()), Version: r.uvarint(), Position: readPosition(&r)}
			if !r.failed {
				i.place = at
				i.ask.Store(number)
				i.askFeed()
			}
		case what == itemClose && i != nil:
			g.close(i)
		}
		if r.failed {
			return errItem
		}
	}
	return all.err()
}

// open begins an interest, if there is room for it.
func (g *gateway) open(i *interest) {
	if len(g.interests) >= g.server.cfg.Bounds.Interests || i.key.Dashboard == "" {
		g.server.stats.dropped.Inc()
		return
	}
	g.interests[i.id] = i
	use := g.shards[i.shard]
	if use == nil {
		use = &shardUse{key: i.key}
		g.shards[i.shard] = use
	}
	use.interests++
	if !g.subscribe(i) {
		g.failed[i.id] = i
	}
}

// subscribe opens an interest at the feed.
func (g *gateway) subscribe(i *interest) bool {
	if !i.subscribe() {
		return false
	}
	use := g.shards[i.shard]
	g.endings = g.endings || use.ended != nil && use.ended != i.ended
	use.ended = i.ended
	return true
}

// findEnded finds the interests whose shard the feed gave up. A shard's subscriptions end together,
// so it only examines them if the one that was opened last has ended, or differs from earlier ones.
func (g *gateway) findEnded() {
	for _, use := range g.shards {
		select {
		case <-use.ended: // never, if it is nil
			g.endings = true
		default:
		}
	}
	if !g.endings {
		return
	}
	g.endings = false
	for id, i := range g.interests {
		if i.gaveUp() {
			g.failed[id] = i
		}
	}
}

func (g *gateway) close(i *interest) {
	delete(g.interests, i.id)
	delete(g.failed, i.id)
	if use := g.shards[i.shard]; use != nil {
		if use.interests--; use.interests == 0 {
			delete(g.shards, i.shard)
		}
	}
	i.closed.Store(true)
	if i.sub != nil {
		i.sub.Close()
	}
}

// closeAll ends every interest, because the stream is over.
func (g *gateway) closeAll() {
	g.out.close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, i := range g.interests {
		g.close(i)
	}
}

// beat tries failed subscriptions again and returns the lag of every shard.
func (g *gateway) beat() map[int]int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.findEnded()
	for id, i := range g.failed {
		if g.subscribe(i) {
			delete(g.failed, id)
			i.askFeed()
		}
	}
	lags := make(map[int]int64, len(g.shards))
	for n, use := range g.shards {
		lags[n] = g.server.cfg.Feed.Status(use.key).Lag
	}
	return lags
}

// askAgain asks the feed about interests that found no room before.
func (g *gateway) askAgain(some []*interest) {
	if len(some) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, i := range some {
		if !i.closed.Load() {
			i.askFeed()
		}
	}
}
