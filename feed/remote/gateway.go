package remote

import (
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote/envelope"
	"github.com/dashfeed/dashfeed/messages"
)

// inboxMessages is how many messages of a gateway wait; more are dropped, to be told again.
const inboxMessages = 64

// gateway is an owner's memory of one gateway. All but its outbox and requests belongs to its goroutine, run, which its
// server joins.
type gateway struct {
	server *Server
	peer   string
	stream uint64
	inbox  chan *envelope.ToOwner
	gone   chan struct{} // closed when its connection was lost

	table     uint64
	version   uint64 // of the table
	interests map[uint64]*interest
	shards    map[int]*shardUse
	answered  map[uint64]*interest // answered and not asked again
	failed    map[uint64]*interest // the feed took no subscription; tried again every beat
	heardAt   time.Time
	told      bool // nothing has to be told before the next beat
	endings   bool // some subscriptions of a shard may have ended before others began

	sent, got uint64 // bytes: their difference is in flight
	flushed   time.Time
	queue     []ready  // taken from the outbox, not sent
	parting   *parting // a payload that goes in parts
	numbers   uint64   // of payloads in parts

	out      outbox
	requests requests
}

// shardUse counts the interests of a shard.
type shardUse struct {
	interests int
	key       messages.Key    // of one of them: all of a shard have one status
	ended     <-chan struct{} // of the one that was opened last
}

func newGateway(s *Server, peer string, stream uint64) *gateway {
	g := &gateway{
		server: s, peer: peer, stream: stream, told: true,
		inbox: make(chan *envelope.ToOwner, inboxMessages), gone: make(chan struct{}),
		interests: map[uint64]*interest{}, shards: map[int]*shardUse{},
		answered: map[uint64]*interest{}, failed: map[uint64]*interest{}, heardAt: time.Now(),
	}
	g.out.wake = make(chan struct{}, 1)
	g.requests.start(g)
	return g
}

// run serves the gateway until it is lost or silent.
func (g *gateway) run() {
	defer g.end()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	flush := time.NewTimer(time.Hour)
	defer flush.Stop()
	for {
		select {
		case <-g.server.ctx.Done():
			return
		case <-g.gone:
			return
		case m := <-g.inbox:
			g.hear(m)
		case <-g.out.wake:
		case <-flush.C:
		case <-beat.C:
			if time.Since(g.heardAt) > silentBeats*beatEvery {
				return
			}
			g.beat(time.Now())
		}
		if next := g.flush(time.Now()); !next.IsZero() {
			flush.Reset(time.Until(next))
		}
	}
}

// end closes what the gateway held open.
func (g *gateway) end() {
	g.server.forget(g)
	g.out.close()
	g.closeAll()
	g.requests.stop()
}

// hear takes a message in.
func (g *gateway) hear(m *envelope.ToOwner) {
	if m.GetTable() < g.table {
		return // of before it forgot
	}
	g.heardAt = time.Now()
	if m.GetTable() > g.table {
		g.closeAll()
		g.table, g.version = m.GetTable(), 0
	}
	if m.GetStream() == g.stream {
		g.got = max(g.got, min(m.GetGot(), g.sent))
	}
	switch {
	case m.GetFrom() > g.version:
		g.told = false
	case m.GetTo() > g.version:
		g.change(m)
		g.version = m.GetTo()
	}
	for _, r := range m.GetRequests() {
		g.requests.hear(r)
	}
}

// change takes in what changed in the table.
func (g *gateway) change(m *envelope.ToOwner) {
	for _, c := range m.GetChanged() {
		i := g.interests[c.GetId()]
		if i == nil {
			if i = g.open(c); i == nil {
				continue
			}
		}
		if c.GetAsk() > i.ask.Load() {
			i.place = feed.Place{Epoch: messages.Epoch(c.GetEpoch()), Version: c.GetVersion(), Position: positionIn(c.GetPosition())}
			i.known = c.GetSchema()
			i.ask.Store(c.GetAsk())
			delete(g.answered, i.id)
			i.askFeed()
		}
	}
	for _, id := range m.GetClosed() {
		if i := g.interests[id]; i != nil {
			g.close(i)
		}
	}
}

// open begins an interest; nil where there is no room for it.
func (g *gateway) open(c *envelope.Interest) *interest {
	if len(g.interests) >= g.server.cfg.Bounds.Interests || c.GetDashboard() == "" {
		g.server.stats.dropped.Inc()
		return nil
	}
	i := &interest{gateway: g, id: c.GetId(), shard: int(c.GetShard()), key: messages.Key{Tenant: c.GetTenant(), Dashboard: c.GetDashboard()}}
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
	return i
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

// findEnded finds the interests whose shard the feed gave up. A shard's end together; so they are looked through only where
// the one opened last has, or differs from those before.
func (g *gateway) findEnded() {
	for _, use := range g.shards {
		select {
		case <-use.ended: // never, where it is nil
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
	delete(g.answered, i.id)
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

func (g *gateway) closeAll() {
	for _, i := range g.interests {
		g.close(i)
	}
}

// beat tells where this end stands, and tries again what failed.
func (g *gateway) beat(now time.Time) {
	g.findEnded()
	for id, i := range g.failed {
		if g.subscribe(i) {
			delete(g.failed, id)
			i.askFeed()
		}
	}
	g.askHungry(0)
	g.requests.beat(now)
	m := g.message()
	for n, use := range g.shards {
		m.Lags = append(m.Lags, &envelope.Lag{Shard: uint32(n), Lag: g.server.cfg.Feed.Status(use.key).Lag})
	}
	for _, i := range g.answered {
		const most = 500 // of the rest the next beats tell
		if now.Sub(i.answeredAt) >= beatEvery && len(m.Answered) < most {
			m.Answered = append(m.Answered, &envelope.Answered{Interest: i.id, Ask: i.answeredAsk})
		}
	}
	g.send(m)
}

// message begins a message.
func (g *gateway) message() *envelope.ToGateway {
	return &envelope.ToGateway{Stream: g.stream, Table: g.table, Heard: g.version}
}

func (g *gateway) send(m *envelope.ToGateway) {
	m.Sent, m.Gap = g.sent, !g.told
	g.told = true
	b := seal(forGateway, m)
	g.server.stats.messages.Inc()
	g.server.stats.bytes.Add(float64(len(b)))
	g.server.cfg.Send(g.peer, b)
}
