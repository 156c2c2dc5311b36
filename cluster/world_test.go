package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/messages"
)

const ms = time.Millisecond

// world is a cluster in virtual time: real views and decisions, with models of gossip, links and
// folds that are randomly late, lossy and slow.
type world struct {
	r        *rand.Rand
	now      time.Duration
	shards   int
	replicas int
	all      []*process // every process there ever was
	up       map[string]*process
	sides    map[string]int           // by node: its part of a split network; missing: part 0
	clocks   map[string]time.Duration // by node: how far its clock is off
	mail     []letter
	load     time.Duration // the longest duration of a load
	loads    int           // how many have begun
	lossy    bool          // beats are lost and come late
}

// process is one incarnation.
type process struct {
	*view
	world   *world
	born    time.Duration
	crashed bool
	paused  bool
	next    time.Duration // time of its next beat
	number  uint64
	drain   bool
	folds   map[int]time.Duration // by shard: when it becomes live
	owns    []bool
	knows   map[*process]bool          // what gossip has told it
	flips   map[*process]time.Duration // when gossip will tell it the opposite
	brokers bool                       // false: it cannot follow the log
}

type letter struct {
	at       time.Duration
	from, to *process
	beat     *heardBeat // nil: the connection broke
}

func newWorld(seed uint64, shards, replicas int) *world {
	return &world{r: rand.New(rand.NewPCG(seed, 1)), shards: shards, replicas: replicas, up: map[string]*process{}, sides: map[string]int{}, clocks: map[string]time.Duration{}, load: 2 * time.Second}
}

func (w *world) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(w.r.Int64N(int64(hi-lo)+1))
}

// start starts a new incarnation of a node.
func (w *world) start(node string, roles Roles) *process {
	clock := time.Unix(1e6, 0).Add(w.now + w.clocks[node])
	s := sighting{peer: link.Peer{Name: link.Incarnation(node, clock), Address: node + ":1"}, roles: roles, weight: 1}
	p := &process{view: newView(s, w.replicas, standardRules()), world: w, born: w.now, next: w.now + w.between(0, 250*ms), folds: map[int]time.Duration{}, knows: map[*process]bool{}, flips: map[*process]time.Duration{}, brokers: true}
	p.join(0)
	w.all = append(w.all, p)
	w.up[node] = p
	return p
}

// crash is kill -9.
func (w *world) crash(p *process) {
	p.crashed = true
	delete(w.up, p.self.peer.Node())
	for _, o := range w.living() {
		w.mail = append(w.mail, letter{w.now + w.between(1*ms, 10*ms), p, o, nil})
	}
}

// living returns the running processes in a fixed order.
func (w *world) living() []*process {
	return slices.DeleteFunc(slices.Clone(w.all), func(p *process) bool { return p.crashed })
}

func (w *world) cut(a, b *process) bool {
	return w.sides[a.self.peer.Node()] != w.sides[b.self.peer.Node()]
}

// run lets time pass, and calls the given functions after each step.
func (w *world) run(d time.Duration, each ...func()) {
	for end := w.now + d; w.now < end; {
		w.now += 10 * ms
		w.deliver()
		for _, p := range w.living() {
			if p.paused {
				continue
			}
			p.gossip()
			if w.now >= p.next {
				p.turn(true)
			}
		}
		for _, f := range each {
			f()
		}
	}
}

func (w *world) deliver() {
	late := w.mail[:0:0]
	for _, l := range w.mail {
		switch {
		case l.at > w.now || l.to.paused && !l.to.crashed:
			late = append(late, l)
		case l.to.crashed || w.cut(l.from, l.to) && l.beat != nil:
		case l.beat == nil:
			if l.to.lose(l.from.self.peer.Name) {
				l.to.turn(false)
			}
		default:
			if l.to.hear(w.now-l.to.born, l.from.self.peer.Name, *l.beat) {
				l.to.turn(false)
			}
		}
	}
	w.mail = late
}

// gossip tells a process, with a delay, who can be reached.
func (p *process) gossip() {
	w := p.world
	for _, o := range w.all {
		if o == p {
			continue
		}
		reach := !o.crashed && !o.paused && !w.cut(p, o)
		if reach == p.knows[o] {
			delete(p.flips, o)
			continue
		}
		at, ok := p.flips[o]
		switch {
		case !ok && reach:
			p.flips[o] = w.now + w.between(20*ms, 900*ms)
		case !ok:
			p.flips[o] = w.now + w.between(1300*ms, 1800*ms)
		case w.now >= at:
			p.knows[o] = reach
			delete(p.flips, o)
		}
	}
}

// claims returns the claims of what the process has.
func (p *process) claims() []messages.Claim {
	var c []messages.Claim
	for s := range p.world.shards {
		if at, ok := p.folds[s]; ok {
			state := messages.Loading
			if p.world.now >= at && p.brokers {
				state = messages.Live
			}
			c = append(c, messages.Claim{Shard: s, State: state})
		}
	}
	return c
}

// turn does what Cluster.turn does: look, see, decide, follow, beat.
func (p *process) turn(beat bool) {
	w, now := p.world, p.world.now-p.born
	p.self.draining = p.drain
	p.look(now)
	var seen []sighting
	for o, k := range p.knows {
		if k {
			s := o.self.sighting
			s.draining = o.drain
			seen = append(seen, s)
		}
	}
	p.see(now, seen)
	o := p.decide(now, w.shards, p.claims())
	for _, s := range o.load {
		if _, ok := p.folds[s]; !ok {
			p.folds[s] = w.now + w.between(100*ms, w.load)
			w.loads++
			beat = true
		}
	}
	for _, s := range o.drop {
		delete(p.folds, s)
	}
	p.owns = o.own
	if beat {
		p.beat(now)
	}
}

func (p *process) beat(now time.Duration) {
	w := p.world
	p.number++
	p.next = w.now + p.rules.beat
	b := &heardBeat{number: p.number, draining: p.drain, claims: p.claims(), held: p.holding(now)}
	for _, o := range w.all { // in order, so that a seed determines the run
		if !p.knows[o] || w.lossy && w.r.IntN(50) == 0 { // one in fifty is lost
			continue
		}
		delay := w.between(1*ms, 30*ms)
		if w.lossy && w.r.IntN(100) == 0 {
			delay = w.between(300*ms, 1500*ms) // and some arrive late
		}
		w.mail = append(w.mail, letter{w.now + delay, p, o, b})
	}
}

// state counts the running processes that fold, are live on and own a shard.
func (w *world) state(shard int) (folding, live, owners int) {
	for _, p := range w.living() {
		if !p.self.roles.Has(NodeRole) {
			continue
		}
		if _, ok := p.folds[shard]; ok {
			folding++
		}
		if at, ok := p.folds[shard]; ok && w.now >= at && p.brokers && !p.paused {
			live++
		}
		if shard < len(p.owns) && p.owns[shard] {
			owners++
		}
	}
	return folding, live, owners
}

// settled describes what is not as it should be; "" if all is well.
func (w *world) settled() string {
	nodes := 0
	for _, p := range w.living() {
		if p.self.roles.Has(NodeRole) {
			nodes++
		}
	}
	for s := range w.shards {
		if f, _, o := w.state(s); f != min(w.replicas, nodes) || o != min(1, nodes) {
			return fmt.Sprintf("at %v shard %d of %d nodes: %d fold it, want %d; %d own it", w.now, s, nodes, f, min(w.replicas, nodes), o)
		}
	}
	return ""
}
