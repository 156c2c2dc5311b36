package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Link is this process's end of all connections to others. It owns their goroutines and those that
// send its beats; Close ends them.
type Link struct {
	self     Peer
	cluster  string
	logger   *slog.Logger
	meter    *meter
	network  Network
	listener net.Listener
	own      *self
	creds    credentials.TransportCredentials
	server   *grpc.Server

	handle func(Peer, []byte) // receives beats; fixed at Start
	losses []func(Peer)       // fixed at Start

	ctx   context.Context
	end   context.CancelFunc
	work  sync.WaitGroup
	conns conns

	mu      sync.Mutex // lock it before a sender's mu
	started bool
	closed  bool
	senders map[Peer]*sender
	heard   map[Peer]int // how many streams each peer beats on
	warned  time.Time    // when a failed handshake was last logged
}

// Listen opens the port. Nothing is served before Start.
func Listen(c Config) (*Link, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Network == nil {
		c.Network = tcp{}
	}
	secure, err := c.TLS.load()
	if err != nil {
		return nil, err
	}
	l := &Link{
		cluster: c.Cluster, logger: c.Logger, meter: newMeter(), network: c.Network, own: newSelf(),
		handle: func(Peer, []byte) {}, conns: conns{all: map[Peer]*Conn{}}, senders: map[Peer]*sender{}, heard: map[Peer]int{},
	}
	l.creds = insecure.NewCredentials()
	if secure != nil {
		l.creds = credentials.NewTLS(secure)
	}
	l.creds = handshakes{l.creds, l}
	if l.listener, err = c.Network.Listen(c.Bind); err != nil {
		return nil, fmt.Errorf("link: listen at %s: %w (is another process there? choose another port)", c.Bind, err)
	}
	l.self = Peer{Name: Incarnation(c.Node, time.Now()), Address: c.Advertise}
	if c.Advertise == "" {
		l.self.Address = l.listener.Addr().String()
		if a, ok := l.listener.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
			_ = l.listener.Close()
			return nil, fmt.Errorf("link: %s is not an address that others can dial: give an advertised one", l.self.Address)
		}
	}
	if err := l.meter.register(c.Metrics); err != nil {
		_ = l.listener.Close()
		return nil, err
	}
	l.ctx, l.end = context.WithCancel(context.Background())
	l.server = grpc.NewServer(l.serverOptions()...)
	l.server.RegisterService(&beats, l)
	return l, nil
}

// Self returns this node's incarnation and address.
func (l *Link) Self() Peer { return l.self }

// RegisterService implements grpc.ServiceRegistrar; call it before Start. Only streams may be
// registered.
func (l *Link) RegisterService(desc *grpc.ServiceDesc, impl any) {
	if len(desc.Methods) > 0 {
		panic("link: service " + desc.ServiceName + " has unary methods: make them streams")
	}
	l.server.RegisterService(desc, impl)
}

// Handle sets the handler of beats; call it before Start. The handler runs on the connection's
// reader, concurrently for several peers, and should return soon: until it does, that peer's beats
// wait. The handler must not keep the body.
func (l *Link) Handle(f func(from Peer, body []byte)) { l.handle = f }

// Lost adds a function that is called when the stream of beats from or to a peer breaks; call it
// before Start. The function runs on the stream's goroutine and must return soon. It may be called
// more than once for a peer.
func (l *Link) Lost(f func(Peer)) { l.losses = append(l.losses, f) }

// Start begins to serve. Further calls do nothing.
func (l *Link) Start() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	if !l.started {
		l.started = true
		for _, at := range []net.Listener{l.listener, l.own} {
			l.work.Go(func() { _ = l.server.Serve(at) })
		}
	}
	return nil
}

// lose reports that a stream of beats broke.
func (l *Link) lose(p Peer, why error) {
	if l.ctx.Err() != nil {
		return
	}
	l.meter.lost.Inc()
	l.logger.Debug("the stream of beats with another node ended", "peer", p.String(), "reason", why)
	for _, f := range l.losses {
		f(p)
	}
}

// warn logs at most once a minute, because a refused peer tries again.
func (l *Link) warn(text string, args ...any) {
	l.mu.Lock()
	skip := l.closed || time.Since(l.warned) < time.Minute
	if !skip {
		l.warned = time.Now()
	}
	l.mu.Unlock()
	if !skip {
		l.logger.Warn(text, args...)
	}
}

// Close ends all connections. It returns after the last handler has returned.
func (l *Link) Close() error {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	l.end()
	l.conns.close()
	l.server.Stop()
	err := errors.Join(l.own.Close(), l.listener.Close())
	if errors.Is(err, net.ErrClosed) { // the server closed it
		err = nil
	}
	l.work.Wait()
	l.meter.unregister()
	return err
}
