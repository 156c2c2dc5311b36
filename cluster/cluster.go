package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/cluster/placement"
	"github.com/dashfeed/dashfeed/messages"
)

// Cluster is this process's part in the cluster. It owns two goroutines, which run the beat and the
// seeker; Close ends them.
type Cluster struct {
	config  Config
	logger  *slog.Logger
	started time.Time
	gossip  *gossip
	seeker  *seeker
	meter   *meter

	wakeup chan struct{} // something changed: decide before the next beat
	end    context.CancelFunc
	work   sync.WaitGroup

	closed atomic.Bool

	mu        sync.Mutex
	view      *view
	unsettled error    // why the first shards are not decided and loaded; nil: they are
	served    []served // indexed by shard
	changed   chan struct{}
	asked     map[string]bool // nodes asked to drain, until they report that they do
	draining  chan struct{}   // closed when this node begins to drain

	// Used only by the beat's goroutine.
	owned  []bool
	loads  []int // the shards that the last decision told to load, ascending
	number uint64
}

// Start joins the cluster and begins to beat and to decide. It returns before it has found other
// members; Err tells.
func Start(ctx context.Context, c Config) (*Cluster, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	l := &Cluster{
		config: c, logger: c.Logger, started: time.Now(), meter: newMeter(),
		wakeup: make(chan struct{}, 1), changed: make(chan struct{}), draining: make(chan struct{}), asked: map[string]bool{},
		unsettled: errors.New("starting"),
	}
	self := sighting{peer: c.Link.Self(), roles: c.Roles, weight: c.Weight}
	l.view = newView(self, c.Replicas, standardRules())
	var err error
	if l.gossip, err = openGossip(c, l.wake); err != nil {
		return nil, err
	}
	l.view.self.gossip = l.gossip.self
	l.seeker = newSeeker(c, l.gossip, l.joined)
	c.Link.Handle(l.receiveBeat)
	c.Link.Lost(l.lose)
	if err := c.Link.Start(); err != nil {
		_ = l.gossip.close()
		return nil, fmt.Errorf("cluster: start the link: %w", err)
	}
	if c.Metrics != nil {
		if err := c.Metrics.Register(l.meter); err != nil {
			_ = l.gossip.close()
			return nil, fmt.Errorf("register the metrics of the cluster: %w", err)
		}
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	l.end = end
	l.work.Go(func() { l.seeker.run(life) })
	l.work.Go(func() { l.run(life) })
	l.logger.Info("joining the cluster", "cluster", c.Cluster, "name", self.peer.Name, "roles", c.Roles.String(), "gossip", l.view.self.gossip, "link", self.peer.Address)
	return l, nil
}

// Close leaves the cluster; the others know at once. It does not hand over shards: call Drain
// before. The link stays open.
func (l *Cluster) Close(context.Context) error {
	if l.closed.Swap(true) {
		return nil
	}
	l.end()
	l.work.Wait()
	if l.config.Metrics != nil {
		l.config.Metrics.Unregister(l.meter)
	}
	if err := l.gossip.close(); err != nil {
		return fmt.Errorf("cluster: leave: %w", err)
	}
	return nil
}

// now returns the time since the start.
func (l *Cluster) now() time.Duration { return time.Since(l.started) }

// wake makes the beat's goroutine decide now.
func (l *Cluster) wake() {
	select {
	case l.wakeup <- struct{}{}:
	default:
	}
}

// joined ends joining, so that decisions begin.
func (l *Cluster) joined() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.view.joining {
		l.view.see(l.now(), l.gossip.members())
		l.view.join(l.now())
	}
}

// run decides and beats until ctx ends.
func (l *Cluster) run(ctx context.Context) {
	tick := time.NewTicker(l.view.rules.beat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.turn(true)
		case <-l.wakeup:
			l.turn(false)
		case <-ctx.Done():
			for shard := range l.owned {
				l.own(shard, false)
			}
			return
		}
	}
}

// turn updates the view, decides, and follows the decision. It beats if it is time to, or if it
// began to load or drop a shard.
func (l *Cluster) turn(beat bool) {
	shards := min(l.config.Partitions(), MaxShards)
	mine := l.claims()
	seen := l.gossip.members()
	l.mu.Lock()
	now := l.now()
	if l.view.look(now) {
		l.meter.missed.Inc()
	}
	superseded := l.view.newer != nil
	if l.view.see(now, seen) {
		l.meter.views.Inc()
	}
	if l.view.newer != nil != superseded {
		l.logSuperseded(l.view.newer)
	}
	if members, ok := l.view.unranked(now, shards); ok {
		// A table of thousands of shards takes many milliseconds: nobody waits for the lock meanwhile.
		l.mu.Unlock()
		table := placement.Rank(members, shards)
		l.mu.Lock()
		l.view.use(members, shards, table)
		now = l.now()
	}
	o := l.view.decide(now, shards, mine)
	l.serve(now, shards)
	l.settle(now, shards)
	l.meter.look(l.view, l.served, o)
	l.mu.Unlock()
	for _, shard := range o.drop {
		l.meter.moves.WithLabelValues("drop").Inc()
		l.logger.Info("dropping the shard: enough other nodes serve it", "shard", shard)
		l.config.Shards.Drop(shard)
	}
	for shard, own := range o.own {
		l.own(shard, own)
	}
	begun := 0
	for _, shard := range o.load {
		l.config.Shards.Load(shard)
		// A shard that cannot be claimed because its log is out of reach is ordered again in every
		// beat; do not log it again.
		if _, again := slices.BinarySearch(l.loads, shard); !again {
			l.meter.moves.WithLabelValues("load").Inc()
			begun++
		}
	}
	l.loads = o.load
	if begun > 0 {
		l.logger.Info("loading shards", "shards", begun, "first", o.load[0])
	}
	if beat || begun+len(o.drop) > 0 {
		l.beat(l.claims())
	}
}

func (l *Cluster) logSuperseded(by *sighting) {
	if by == nil {
		l.logger.Info("the process that started later is gone: this process serves again")
		return
	}
	l.logger.Warn("another process with this node's name or address started later: this process serves nothing until it is gone", "later", by.peer.String())
}

func (l *Cluster) claims() []messages.Claim {
	if l.config.Shards == nil {
		return nil
	}
	return l.config.Shards.Claims()
}

// own tells Shards when this node begins or stops to act for a shard.
func (l *Cluster) own(shard int, own bool) {
	for len(l.owned) <= shard {
		l.owned = append(l.owned, false)
	}
	if l.owned[shard] != own {
		l.owned[shard] = own
		l.config.Shards.Own(shard, own)
	}
}

// beat sends everything to every other member.
func (l *Cluster) beat(mine []messages.Claim) {
	l.number++
	b := &Beat{Number: l.number}
	for _, c := range mine {
		b.Claims = append(b.Claims, &Claim{Shard: uint32(c.Shard), State: uint32(c.State), Hi: c.Position.Hi, Lo: c.Position.Lo})
	}
	l.mu.Lock()
	b.Draining = l.view.self.leaving()
	b.Held = l.view.holding(l.now())
	for node := range l.asked {
		b.Drain = append(b.Drain, node)
	}
	var to []link.Peer
	for _, m := range l.view.members {
		if m != l.view.self {
			to = append(to, m.peer)
		}
	}
	superseded := l.view.newer != nil
	l.mu.Unlock()
	if superseded {
		return
	}
	body, err := proto.Marshal(b)
	if err != nil {
		l.logger.Error("cannot encode a beat", "error", err)
		return
	}
	for _, p := range to {
		l.config.Link.Beat(p, body)
	}
}

// receiveBeat processes another member's beat.
func (l *Cluster) receiveBeat(from link.Peer, body []byte) {
	b, err := decodeBeat(body)
	if err != nil {
		l.meter.malformed.Inc()
		l.logger.Debug("cannot read a beat", "from", from.String(), "error", err)
		return
	}
	l.mu.Lock()
	changed := l.view.hear(l.now(), from.Name, b)
	l.followDrain(b.drain)
	l.mu.Unlock()
	if changed {
		l.wake()
	}
}

// lose ends what was heard from a peer whose connection broke.
func (l *Cluster) lose(p link.Peer) {
	l.mu.Lock()
	changed := l.view.lose(p.Name)
	l.mu.Unlock()
	if changed {
		l.wake()
	}
}

// decodeBeat reads a beat and leaves out claims that are not valid.
func decodeBeat(body []byte) (heardBeat, error) {
	var p Beat
	if err := proto.Unmarshal(body, &p); err != nil {
		return heardBeat{}, err
	}
	b := heardBeat{number: p.Number, draining: p.Draining, held: p.Held, drain: p.Drain}
	last := -1
	for _, c := range p.Claims {
		state := messages.ClaimState(c.State)
		if c.Shard >= MaxShards || int(c.Shard) <= last || c.State > 2 || state != messages.Loading && state != messages.Live {
			continue
		}
		last = int(c.Shard)
		b.claims = append(b.claims, messages.Claim{Shard: last, State: state, Position: messages.Position{Hi: c.Hi, Lo: c.Lo}})
	}
	return b, nil
}
