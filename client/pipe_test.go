package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
)

// network is listener and dialer in one, in memory, so that a server and its clients fit in one
// synctest bubble.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex
	down bool
	open []net.Conn
}

func newNetwork() *network {
	return &network{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	here, there := net.Pipe()
	n.open = append(n.open, here)
	select {
	case n.conns <- there:
		return here, nil
	case <-n.closed:
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// set takes the network down, which breaks every connection, or up.
func (n *network) set(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down = down; down {
		for _, c := range n.open {
			c.Close()
		}
		n.open = nil
	}
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

func (n *network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// serve serves h on a network and returns a client of it; both end before the test does.
func serve(t *testing.T, h http.Handler) (*Client, *network) {
	t.Helper()
	n := listen(t, h)
	c, err := New(Options{Server: "http://dashfeed.test", DialContext: n.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, n
}

// Pipe serves h until the test ends and returns the dialer of its clients.
func Pipe(t *testing.T, h http.Handler) func(ctx context.Context, network, address string) (net.Conn, error) {
	return listen(t, h).dial
}

func listen(t *testing.T, h http.Handler) *network {
	n := newNetwork()
	server := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(n) })
	t.Cleanup(func() {
		n.set(true)
		server.Close()
		serving.Wait()
	})
	return n
}
