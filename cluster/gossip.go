package cluster

import (
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"google.golang.org/protobuf/proto"

	"github.com/dashfeed/dashfeed/cluster/link"
)

// gossip wraps memberlist, reduced to one question: who is there? Its callbacks run under
// memberlist's lock. They copy their arguments, because memberlist changes them later, and only
// wake the beat.
type gossip struct {
	list *memberlist.Memberlist
	wake func()
	meta atomic.Pointer[[]byte]
	log  *gossipLog

	mu    sync.Mutex
	self  string              // its own address
	there map[string]sighting // by incarnation; as many as memberlist has
}

func openGossip(c Config, wake func()) (*gossip, error) {
	g := &gossip{wake: wake, log: &gossipLog{logger: c.Logger, cluster: c.Cluster}, there: map[string]sighting{}}
	g.setMeta(c, false)
	m := c.Preset.memberlist()
	m.Name = c.Link.Self().Name
	m.Label = c.Cluster
	m.Transport = c.Transport
	m.Logger = log.New(g.log, "", 0)
	m.Delegate, m.Events = g, g
	if c.Keys != nil {
		m.Keyring = c.Keys.ring
	}
	var err error
	if m.BindAddr, m.BindPort, err = ipPort(c.Bind); err != nil && c.Transport == nil {
		return nil, fmt.Errorf("cluster: bind address of gossip: %w", err)
	}
	m.AdvertisePort = m.BindPort
	if c.Advertise != "" {
		if m.AdvertiseAddr, m.AdvertisePort, err = ipPort(c.Advertise); err != nil {
			return nil, fmt.Errorf("cluster: advertised address of gossip: %w", err)
		}
	}
	if g.list, err = memberlist.Create(m); err != nil {
		return nil, fmt.Errorf("cluster: gossip at %s: %w (is another process there? choose another port)", c.Bind, err)
	}
	return g, nil
}

// memberlist returns the library's settings. Detecting a crash takes a probe, its timeout, and
// SuspicionMult*log10(n+1) more probes.
func (p Preset) memberlist() *memberlist.Config {
	m := memberlist.DefaultLANConfig()
	m.PushPullInterval = 10 * time.Second
	m.TCPTimeout = 2 * time.Second
	m.ProbeInterval, m.ProbeTimeout = 500*time.Millisecond, 300*time.Millisecond
	m.GossipInterval = 100 * time.Millisecond
	if p == Local {
		m.PushPullInterval = 5 * time.Second
		m.TCPTimeout = time.Second
		m.ProbeInterval, m.ProbeTimeout = 300*time.Millisecond, 150*time.Millisecond
		m.SuspicionMult = 3
		m.GossipInterval = 50 * time.Millisecond
	}
	return m
}

// ipPort resolves host:port, because memberlist needs an IP address and a number.
func ipPort(address string) (string, int, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return "", 0, fmt.Errorf("port %q of %q is not a number from 0 to 65535", port, address)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if net.ParseIP(host) == nil {
		ips, err := net.LookupIP(host)
		if err != nil || len(ips) == 0 {
			return "", 0, fmt.Errorf("cannot resolve the host of %q: %w", address, err)
		}
		host = ips[0].String()
	}
	return host, n, nil
}

// setMeta sets what gossip says about this process; seeker.spread sends it.
func (g *gossip) setMeta(c Config, draining bool) {
	meta, _ := proto.Marshal(&Meta{Link: c.Link.Self().Address, Roles: uint32(c.Roles), Weight: uint32(c.Weight), Draining: draining})
	g.meta.Store(&meta)
}

// members returns those that gossip considers alive, including this process.
func (g *gossip) members() []sighting {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]sighting, 0, len(g.there))
	for _, s := range g.there {
		all = append(all, s)
	}
	return all
}

// note stores what gossip says about a member. It ignores what Dashfeed did not write.
func (g *gossip) note(n *memberlist.Node) {
	var m Meta
	if err := proto.Unmarshal(n.Meta, &m); err != nil || m.Link == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.self == "" { // the first member that it knows is itself
		g.self = n.Address()
	}
	g.there[n.Name] = sighting{
		peer: link.Peer{Name: n.Name, Address: m.Link}, gossip: n.Address(),
		roles: Roles(m.Roles), weight: int(min(m.Weight, 1000)), draining: m.Draining,
	}
}

// join asks some of the addresses for their view and gives them this one's.
func (g *gossip) join(addresses []string) error {
	const most = 8 // they are asked one after the other, and a dead one costs a timeout
	rand.Shuffle(len(addresses), func(i, j int) { addresses[i], addresses[j] = addresses[j], addresses[i] })
	_, err := g.list.Join(addresses[:min(len(addresses), most)])
	return err
}

func (g *gossip) close() error {
	if err := g.list.Leave(time.Second); err != nil {
		g.log.logger.Debug("no member confirmed that this process leaves; they will detect it", "error", err)
	}
	return g.list.Shutdown()
}

// NodeMeta implements memberlist.Delegate.
func (g *gossip) NodeMeta(int) []byte { return *g.meta.Load() }

// NotifyMsg implements memberlist.Delegate.
func (g *gossip) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (g *gossip) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate.
func (g *gossip) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (g *gossip) MergeRemoteState([]byte, bool) {}

// NotifyJoin implements memberlist.EventDelegate.
func (g *gossip) NotifyJoin(n *memberlist.Node) {
	g.note(n)
	g.wake()
}

// NotifyUpdate implements memberlist.EventDelegate.
func (g *gossip) NotifyUpdate(n *memberlist.Node) {
	g.note(n)
	g.wake()
}

// NotifyLeave implements memberlist.EventDelegate.
func (g *gossip) NotifyLeave(n *memberlist.Node) {
	g.mu.Lock()
	delete(g.there, n.Name)
	g.mu.Unlock()
	g.wake()
}
