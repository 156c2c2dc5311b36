package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// MaxPeers is how many peers a link can be connected to at the same time.
const MaxPeers = 1024

var (
	errPeers  = fmt.Errorf("link: connections to %d peers are open, no more are allowed", MaxPeers)
	errClosed = errors.New("the link is closed")
)

// Conn reaches a peer's services. All who dial the same peer share one connection, which closes
// with the last of them.
type Conn struct {
	link  *Link
	peer  Peer
	hello metadata.MD
	grpc  *grpc.ClientConn
	uses  int // guarded by conns.mu
}

var _ grpc.ClientConnInterface = (*Conn)(nil)

// conns holds the connections in use.
type conns struct {
	mu     sync.Mutex
	all    map[Peer]*Conn
	closed bool
}

// Dial returns a Conn to a peer and never waits: the connection is made with the first call. Close
// the Conn once.
func (l *Link) Dial(to Peer) (*Conn, error) {
	if !to.valid() {
		return nil, fmt.Errorf("link: %q is not a valid peer", to)
	}
	l.conns.mu.Lock()
	defer l.conns.mu.Unlock()
	c := l.conns.all[to]
	switch {
	case l.conns.closed:
		return nil, errClosed
	case c == nil && len(l.conns.all) >= MaxPeers:
		return nil, errPeers
	case c == nil:
		inner, err := grpc.NewClient("passthrough:///"+to.Address, l.dialOptions(to)...)
		if err != nil {
			return nil, fmt.Errorf("link: connection to %s: %w", to, err)
		}
		said := hello{Version, l.cluster, l.self, to.Name}
		c = &Conn{link: l, peer: to, hello: metadata.Pairs(helloKey, said.encode()), grpc: inner}
		l.conns.all[to] = c
	}
	c.uses++
	return c, nil
}

// Close releases the connection.
func (c *Conn) Close() {
	c.link.conns.mu.Lock()
	defer c.link.conns.mu.Unlock()
	if c.uses--; c.uses == 0 {
		delete(c.link.conns.all, c.peer)
		_ = c.grpc.Close()
	}
}

// Invoke implements grpc.ClientConnInterface.
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return c.grpc.Invoke(metadata.NewOutgoingContext(ctx, c.hello), method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface.
func (c *Conn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.grpc.NewStream(metadata.NewOutgoingContext(ctx, c.hello), desc, method, opts...)
}

func (s *conns) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.all {
		_ = c.grpc.Close()
	}
}

// self connects a process to itself without a socket: others may reach it at an address that it
// cannot reach.
type self struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newSelf() *self { return &self{conns: make(chan net.Conn), done: make(chan struct{})} }

// inner is such a connection; it needs no TLS handshake.
type inner struct{ net.Conn }

func (s *self) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case s.conns <- inner{theirs}:
		return inner{ours}, nil
	case <-s.done:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (s *self) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *self) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// Addr implements net.Listener.
func (s *self) Addr() net.Addr { return &net.UnixAddr{Name: "self", Net: "pipe"} }
