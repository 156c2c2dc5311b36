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

	handle func(Peer, []byte) // of beats; fixed at Start
	losses []func(Peer)       // fixed at Start

	ctx   context.Context
	end   context.CancelFunc
	work  sync.WaitGroup
	conns conns

	mu      sync.Mutex // before a sender's
	started bool
	closed  bool
	senders map[Peer]*sender
	heard   map[Peer]int // streams that beats come on
	warned  time.Time    // when a failed handshake was last told of
}

// Listen takes the port. Nothing is served before Start.
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
			return nil, fmt.Errorf("link: %s is no address that others can dial: give an advertised one", l.self.Address)
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

// Self is this node's incarnation and where it is reached.
func (l *Link) Self() Peer { return l.self }

// RegisterService implements grpc.ServiceRegistrar, before Start. Only streams may be registered.
func (l *Link) RegisterService(desc *grpc.ServiceDesc, impl any) {
	if len(desc.Methods) > 0 {
		panic("link: service " + desc.ServiceName + " has unary methods: make them streams")
	}
	l.server.RegisterService(desc, impl)
}

// Handle says who takes beats, before Start. The handler runs on the connection's reader, at the
// same time for several peers, and should soon return: while it doesn't, that peer's beats wait.
// The body is the handler's until it returns.
func (l *Link) Handle(f func(from Peer, body []byte)) { l.handle = f }

// Lost says who is told when the stream of beats from or to a peer broke, before Start. There may
// be several. They run on the stream's goroutine and return soon. A peer may be told of more than
// once.
func (l *Link) Lost(f func(Peer)) { l.losses = append(l.losses, f) }

// Start serves. Once is enough; more often does nothing.
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

// lose tells that a stream of beats broke.
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

// warn logs at most once a minute: whoever is refused comes again.
func (l *Link) warn(text string, args ...any) {
	l.mu.Lock()
	quiet := l.closed || time.Since(l.warned) < time.Minute
	if !quiet {
		l.warned = time.Now()
	}
	l.mu.Unlock()
	if !quiet {
		l.logger.Warn(text, args...)
	}
}

// Close ends all connections. It returns after the last handler did.
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
	if errors.Is(err, net.ErrClosed) { // by the server
		err = nil
	}
	l.work.Wait()
	l.meter.unregister()
	return err
}
