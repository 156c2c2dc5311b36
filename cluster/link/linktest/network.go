// Package linktest is an in-memory network for tests of what is built on links: connections that
// are slow, stall, break at any byte and come back. It works in a bubble of testing/synctest.
//
//	n := linktest.New(seed)
//	l, err := link.Listen(link.Config{Node: "n1", Bind: "n1:1", Network: n.Of("n1")})
//	n.Weather(50*time.Millisecond, 20_000) // delay up to 50 ms; break after up to 20,000 bytes
//	n.Stall("n1", "g1", true) // what n1 sends to g1 stays in transit
//	n.Break("n1", "g1")
package linktest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
)

// socketBytes is how many unread bytes a connection accepts.
const socketBytes = 64 << 10

// way is one direction between two hosts.
type way struct{ from, to string }

// Network connects hosts by their names. It is safe for concurrent use.
type Network struct {
	mu        sync.Mutex
	changed   *sync.Cond
	rng       *rand.Rand
	listeners map[string]*listener // by address
	conns     map[*conn]struct{}   // both ends of each
	stalled   map[way]bool
	delay     time.Duration
	tear      int
	sent      map[way]int
	breaks    int
}

// New returns a network whose random numbers come from the seed.
func New(seed uint64) *Network {
	n := &Network{
		rng: rand.New(rand.NewPCG(seed, 1)), listeners: map[string]*listener{}, conns: map[*conn]struct{}{},
		stalled: map[way]bool{}, sent: map[way]int{},
	}
	n.changed = sync.NewCond(&n.mu)
	return n
}

// Weather sets the greatest delay and the greatest number of bytes before a connection breaks, from
// now on; 0 turns each off.
func (n *Network) Weather(delay time.Duration, tear int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay, n.tear = delay, tear
	for c := range n.conns {
		n.draw(c)
	}
}

// draw decides when a connection breaks.
func (n *Network) draw(c *conn) {
	if c.left = -1; n.tear > 0 {
		c.left = n.rng.IntN(n.tear)
	}
}

// Stall holds back what one host sends to another, or releases it.
func (n *Network) Stall(from, to string, stalled bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stalled[way{from, to}] = stalled
	n.changed.Broadcast()
}

// Cut stalls both directions.
func (n *Network) Cut(a, b string, cut bool) {
	n.Stall(a, b, cut)
	n.Stall(b, a, cut)
}

// Break breaks all connections between two hosts.
func (n *Network) Break(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if c.way == (way{a, b}) || c.way == (way{b, a}) {
			n.broken(c)
		}
	}
}

func (n *Network) broken(c *conn) {
	if c.err == nil {
		n.breaks++
	}
	for _, end := range []*conn{c, c.other} {
		if end.err == nil {
			end.err = syscall.ECONNRESET
		}
		delete(n.conns, end)
	}
	n.changed.Broadcast()
}

// Sent returns how many bytes one host has sent to another, including those in transit.
func (n *Network) Sent(from, to string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent[way{from, to}]
}

// Breaks returns how many connections have broken.
func (n *Network) Breaks() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.breaks
}

// Of returns the network as a host sees it.
func (n *Network) Of(host string) link.Network { return machine{n, host} }

type machine struct {
	network *Network
	name    string
}

type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }

// Listen implements link.Network.
func (h machine) Listen(at string) (net.Listener, error) {
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[at] != nil {
		return nil, fmt.Errorf("listen at %s: %w", at, syscall.EADDRINUSE)
	}
	l := &listener{host: h, at: at, conns: make(chan net.Conn, 64), done: make(chan struct{})}
	n.listeners[at] = l
	return l, nil
}

// Dial implements link.Network. It waits while the hosts are cut off from each other.
func (h machine) Dial(ctx context.Context, at string) (net.Conn, error) {
	n := h.network
	defer context.AfterFunc(ctx, n.wake)()
	n.mu.Lock()
	l := n.listeners[at]
	for l != nil && ctx.Err() == nil && (n.stalled[way{h.name, l.host.name}] || n.stalled[way{l.host.name, h.name}]) {
		n.changed.Wait()
		l = n.listeners[at]
	}
	n.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if l == nil {
		return nil, fmt.Errorf("dial %s: %w", at, syscall.ECONNREFUSED)
	}
	ours, theirs := n.pair(h.name, l.host.name)
	select {
	case l.conns <- theirs:
		return ours, nil
	default:
		return nil, errors.New("backlog full")
	}
}

func (n *Network) pair(from, to string) (a, b *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, b = &conn{network: n, way: way{to, from}}, &conn{network: n, way: way{from, to}}
	a.other, b.other = b, a
	for _, c := range []*conn{a, b} {
		n.conns[c] = struct{}{}
		n.draw(c)
	}
	return a, b
}

type listener struct {
	host  machine
	at    string
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.host.network.mu.Lock()
		delete(l.host.network.listeners, l.at)
		l.host.network.mu.Unlock()
		close(l.done)
		for len(l.conns) > 0 {
			_ = (<-l.conns).Close()
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return address(l.at) }
