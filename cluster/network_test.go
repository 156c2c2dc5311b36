package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/messages"
)

// network connects all processes of a bubble: gossip and links in memory. A process that cannot be
// reached hears nothing, as in a network partition.
type network struct {
	mu        sync.Mutex
	ports     map[string]*port
	links     map[string]*memLink      // by name
	isolated  map[string]bool          // isolated nodes; they reach each other
	clock     map[string]time.Duration // by node: how far its clock is ahead
	homes     map[string]*net.TCPAddr  // by node: the first address of its gossip
	recording string                   // the node whose gossip is recorded
	recorded  []recordedPacket         // what it sent
	next      int
}

type recordedPacket struct {
	to   string
	from net.Addr
	body []byte
}

// record records what a node's gossip sends from now on; "" stops recording.
func (n *network) record(node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.recording = node
}

// replay sends what was recorded again, like a network that delayed it for long.
func (n *network) replay() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.recorded {
		if to := n.ports[p.to]; to != nil {
			to.packets <- &memberlist.Packet{Buf: p.body, From: p.from, Timestamp: time.Now()}
		}
	}
}

func newNetwork() *network {
	return &network{
		ports: map[string]*port{}, links: map[string]*memLink{}, isolated: map[string]bool{},
		clock: map[string]time.Duration{}, homes: map[string]*net.TCPAddr{},
	}
}

// isolate isolates nodes from all others; isolated nodes reach each other.
func (n *network) isolate(nodes ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.isolated)
	for _, node := range nodes {
		n.isolated[node] = true
	}
}

func (n *network) reach(a, b string) bool { return n.isolated[a] == n.isolated[b] }

// port is a node's end of gossip; it implements memberlist.Transport.
type port struct {
	network *network
	node    string
	addr    *net.TCPAddr
	packets chan *memberlist.Packet
	streams chan net.Conn
}

func (n *network) port(node string) *port {
	n.mu.Lock()
	defer n.mu.Unlock()
	home := n.homes[node]
	if home == nil || n.ports[home.String()] != nil { // another start of the node has it
		n.next++
		home = &net.TCPAddr{IP: net.IPv4(10, 0, 0, byte(n.next)), Port: 7946}
		n.homes[node] = home
	}
	p := &port{n, node, home, make(chan *memberlist.Packet, 4096), make(chan net.Conn, 64)}
	n.ports[p.addr.String()] = p
	return p
}

func (p *port) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return p.addr.IP, p.addr.Port, nil
}
func (p *port) PacketCh() <-chan *memberlist.Packet { return p.packets }
func (p *port) StreamCh() <-chan net.Conn           { return p.streams }

func (p *port) WriteTo(b []byte, addr string) (time.Time, error) {
	p.network.mu.Lock()
	defer p.network.mu.Unlock()
	if p.network.recording == p.node {
		p.network.recorded = append(p.network.recorded, recordedPacket{addr, p.addr, slices.Clone(b)})
	}
	if to := p.network.ports[addr]; to != nil && p.network.reach(p.node, to.node) {
		select {
		case to.packets <- &memberlist.Packet{Buf: slices.Clone(b), From: p.addr, Timestamp: time.Now()}:
		default:
		}
	}
	return time.Now(), nil
}

func (p *port) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	p.network.mu.Lock()
	to := p.network.ports[addr]
	walled := to != nil && !p.network.reach(p.node, to.node)
	p.network.mu.Unlock()
	if walled {
		time.Sleep(timeout)
		return nil, errors.New("i/o timeout")
	}
	if to == nil {
		return nil, errors.New("connection refused")
	}
	// no socket buffer: a first write that nobody reads must time out too
	ours, theirs := net.Pipe()
	_ = ours.SetDeadline(time.Now().Add(timeout))
	select {
	case to.streams <- theirs:
		return ours, nil
	default:
		return nil, errors.New("backlog full")
	}
}

func (p *port) Shutdown() error {
	p.network.mu.Lock()
	defer p.network.mu.Unlock()
	delete(p.network.ports, p.addr.String())
	return nil
}

// memLink implements Link.
type memLink struct {
	network *network
	self    link.Peer
	handle  func(link.Peer, []byte)
	lost    func(link.Peer)
	inbox   chan memMail
	done    chan struct{}
	work    sync.WaitGroup
}

type memMail struct {
	from link.Peer
	body []byte // nil: the connection broke
}

func (n *network) link(node string) *memLink {
	n.mu.Lock()
	defer n.mu.Unlock()
	self := link.Peer{Name: link.Incarnation(node, time.Now().Add(n.clock[node])), Address: node + ":7947"}
	l := &memLink{network: n, self: self, inbox: make(chan memMail, 4096), done: make(chan struct{})}
	n.links[l.self.Name] = l
	return l
}

func (l *memLink) Self() link.Peer                  { return l.self }
func (l *memLink) Handle(f func(link.Peer, []byte)) { l.handle = f }
func (l *memLink) Lost(f func(link.Peer))           { l.lost = f }
func (l *memLink) Beat(to link.Peer, body []byte)   { l.put(to.Name, memMail{l.self, body}) }

func (l *memLink) Start() error {
	l.work.Go(func() {
		for {
			select {
			case m := <-l.inbox:
				if m.body == nil {
					l.lost(m.from)
				} else {
					l.handle(m.from, m.body)
				}
			case <-l.done:
				return
			}
		}
	})
	return nil
}

func (l *memLink) put(name string, m memMail) {
	l.network.mu.Lock()
	defer l.network.mu.Unlock()
	if to := l.network.links[name]; to != nil && l.network.reach(l.self.Node(), to.self.Node()) {
		select {
		case to.inbox <- m:
		default:
		}
	}
}

func (l *memLink) close() {
	l.network.mu.Lock()
	delete(l.network.links, l.self.Name)
	all := make([]string, 0, len(l.network.links))
	for name := range l.network.links {
		all = append(all, name)
	}
	l.network.mu.Unlock()
	for _, name := range all {
		l.put(name, memMail{from: l.self})
	}
	close(l.done)
	l.work.Wait()
}

// folds implements Shards: its loads take a while and its folds do nothing.
type folds struct {
	mu    sync.Mutex
	took  time.Duration
	since map[int]time.Time
	owns  map[int]bool
	mute  bool         // claims nothing, like a node that cannot reach its log
	bad   map[int]bool // shards that fail
}

func (f *folds) Claims() []messages.Claim {
	f.mu.Lock()
	defer f.mu.Unlock()
	var c []messages.Claim
	if f.mute {
		return nil
	}
	for shard, since := range f.since {
		if f.bad[shard] {
			continue
		}
		state := messages.Loading
		if time.Since(since) >= f.took {
			state = messages.Live
		}
		c = append(c, messages.Claim{Shard: shard, State: state, Position: messages.Position{Hi: 1, Lo: uint64(shard)}})
	}
	slices.SortFunc(c, func(a, b messages.Claim) int { return a.Shard - b.Shard })
	return c
}

func (f *folds) Load(shard int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.since[shard]; !ok {
		f.since[shard] = time.Now()
	}
}

func (f *folds) Drop(shard int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.since, shard)
}

func (f *folds) Own(shard int, own bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owns[shard] = own
}

func (f *folds) Failed(shard int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, here := f.since[shard]
	return here && f.bad[shard]
}

func (f *folds) has(shard int) (folds, owns bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, folds = f.since[shard]
	return folds, f.owns[shard]
}

// testCluster is a cluster in a bubble.
type testCluster struct {
	t       *testing.T
	network *network
	seeds   []string
	shards  int
	nodes   map[string]*testNode
}

// testNode is one process of the cluster.
type testNode struct {
	*Cluster
	link  *memLink
	port  *port
	folds *folds
}

func inBubble(t *testing.T, shards int, test func(h *testCluster)) {
	synctest.Test(t, func(t *testing.T) {
		h := &testCluster{t: t, network: newNetwork(), shards: shards, nodes: map[string]*testNode{}}
		test(h)
		h.network.isolate()
		for _, n := range h.nodes {
			n.stop()
		}
		time.Sleep(time.Minute) // memberlist's last timers
	})
}

func (h *testCluster) start(node string, change ...func(*Config)) *testNode {
	h.t.Helper()
	n := &testNode{link: h.network.link(node), port: h.network.port(node), folds: &folds{took: 300 * time.Millisecond, since: map[int]time.Time{}, owns: map[int]bool{}}}
	if len(h.seeds) < 3 {
		h.seeds = append(h.seeds, n.port.addr.String())
	}
	c := Config{
		Cluster: "test", Seeds: slices.Clone(h.seeds), Preset: Local, Roles: NodeRole, Shards: n.folds, Partitions: func() int { return h.shards },
		Link: n.link, Transport: n.port, Logger: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	if n.Cluster, err = Start(context.Background(), c); err != nil {
		h.t.Fatal(err)
	}
	h.nodes[node] = n
	return n
}

func gatewayOnly(c *Config) { c.Roles, c.Shards = GatewayRole, nil }

func replicas(n int) func(*Config) { return func(c *Config) { c.Replicas = n } }

func (n *testNode) stop() {
	_ = n.Close(context.Background())
	n.link.close()
}

// kill ends a process without a leave message.
func (h *testCluster) kill(node string) {
	n := h.nodes[node]
	delete(h.nodes, node)
	n.end()
	n.work.Wait()
	n.link.close()
	_ = n.gossip.list.Shutdown()
}

// wrong describes what is not as it should be among the running processes that can reach each
// other; "" if all is well.
func (h *testCluster) wrong(replicas int) string {
	nodes := 0
	for _, n := range h.nodes {
		if n.config.Roles.Has(NodeRole) {
			nodes++
		}
	}
	for name, n := range h.nodes {
		if got := len(n.Members()); got != len(h.nodes) {
			return fmt.Sprintf("%s sees %d of %d members", name, got, len(h.nodes))
		}
		for _, s := range n.Shards() {
			if s.Source != s.Ranking[0] {
				return fmt.Sprintf("%s follows %q for shard %d, ranked are %v", name, s.Source, s.Shard, s.Ranking)
			}
		}
	}
	for shard := range h.shards {
		folding, owning := 0, 0
		for _, n := range h.nodes {
			f, o := n.folds.has(shard)
			if f {
				folding++
			}
			if o {
				owning++
			}
		}
		if folding != min(replicas, nodes) || owning != 1 {
			return fmt.Sprintf("shard %d: %d nodes fold it, %d own it", shard, folding, owning)
		}
	}
	return ""
}

// settle waits until all is as it should be, and returns how long that took.
func (h *testCluster) settle(replicas int, within time.Duration) time.Duration {
	h.t.Helper()
	start := time.Now()
	for {
		wrong := h.wrong(replicas)
		if wrong == "" {
			took := time.Since(start)
			time.Sleep(300 * time.Millisecond) // until all hear the beat that says so
			return took
		}
		if time.Since(start) > within {
			h.t.Fatalf("after %v: %s", within, wrong)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
