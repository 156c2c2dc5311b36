package link

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
	"github.com/asynkron/protoactor-go/remote"
)

// Link is this node's end of all connections to other nodes. It owns their goroutines and the one that delivers what the
// node sends to itself; Close ends them.
type Link struct {
	self   Peer
	logger *slog.Logger
	meter  *meter

	system *actor.ActorSystem
	remote *remote.Remote
	ends   *eventstream.Subscription

	handlers [4]func(Peer, []byte) // by kind; fixed at Start
	lost     []func(Peer)          // fixed at Start
	started  atomic.Bool
	closed   atomic.Bool
	starting sync.Mutex

	lanes   lanes
	streams streams
	own     loop
}

// Listen takes the port. Nothing arrives and nothing is sent before Start.
func Listen(c Config) (*Link, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	secure, err := c.TLS.load()
	if err != nil {
		return nil, err
	}
	l := &Link{logger: c.Logger, meter: newMeter()}
	l.self.Name = Incarnation(c.Node, time.Now())
	l.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler) // what matters of what it says is told by our streams
	}))
	l.system.ID = l.self.Name // what the handshake says
	l.system.ProcessRegistry.RegisterAddressResolver(l.resolve)
	if err := l.open(c, secure); err != nil {
		l.system.Shutdown()
		return nil, err
	}
	l.ends = l.system.EventStream.Subscribe(l.endpointEnded)
	if c.Metrics != nil {
		if err := c.Metrics.Register(l.meter); err != nil {
			l.Close()
			return nil, fmt.Errorf("register the metrics of the link: %w", err)
		}
		l.meter.registry = c.Metrics
	}
	return l, nil
}

// open starts remote; its way to refuse a port is a panic.
func (l *Link) open(c Config, secure *security) (err error) {
	host, port, err := net.SplitHostPort(c.Bind)
	if err != nil {
		return fmt.Errorf("link: bind address %q: %w", c.Bind, err)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("link: port %q of bind address %q is no number from 0 to 65535", port, c.Bind)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("link: listen at %s: %v (is another process there? choose another port)", c.Bind, r)
		}
	}()
	l.remote = remote.NewRemote(l.system, remote.Configure(host, n, append(l.options(secure), remote.WithAdvertisedHost(c.Advertise))...))
	l.remote.Start()
	l.self.Address = l.system.Address()
	if host, _, _ := net.SplitHostPort(l.self.Address); c.Advertise == "" && (net.ParseIP(host) == nil || net.ParseIP(host).IsUnspecified()) {
		l.remote.Shutdown(false)
		return fmt.Errorf("link: %s is no address that others can dial: give an advertised one", l.self.Address)
	}
	return nil
}

// Self is this node's incarnation and where it is reached.
func (l *Link) Self() Peer { return l.self }

// Handle says who takes what is of a kind: once for each, before Start. The handler runs on the connection's reader, at the
// same time for several peers, and should soon return: while it doesn't, that peer's messages of that kind wait. The body
// is the handler's.
func (l *Link) Handle(k Kind, f func(from Peer, body []byte)) {
	if bounds[k] == (bound{}) || l.handlers[k] != nil || l.started.Load() {
		panic(fmt.Sprintf("link: handler of %s: there is one already, or it comes after Start, or there is no such kind", k))
	}
	l.handlers[k] = f
}

// Lost says who is told when a connection from or to a peer broke, before Start. There may be several. They run on the
// connection's goroutine and return soon. A peer has several connections: it may be told more than once.
func (l *Link) Lost(f func(Peer)) { l.lost = append(l.lost, f) }

// Start lets messages through. Once is enough; more often does nothing.
func (l *Link) Start() error {
	l.starting.Lock()
	defer l.starting.Unlock()
	if l.closed.Load() {
		return errClosed
	}
	if l.started.Load() {
		return nil
	}
	if err := l.register(); err != nil {
		return err
	}
	l.own.start(l.deliver, l.self)
	l.started.Store(true)
	return nil
}

// Send gives a message on its way and returns. The body is the link's from then on. Whether it arrives, nobody tells.
func (l *Link) Send(to Peer, k Kind, body []byte) {
	switch {
	case bounds[k] == (bound{}) || !to.valid():
		l.meter.drop(k, "no such peer or kind", 1)
	case len(body) > MaxBody:
		l.meter.drop(k, "too large", 1)
	case !l.started.Load() || l.closed.Load():
		l.meter.drop(k, "closed", 1)
	case to.Name == l.self.Name:
		if !l.own.put(k, body) {
			l.meter.drop(k, "full", 1)
		}
	default:
		l.queue(to, k, body)
	}
}

func (l *Link) queue(to Peer, k Kind, body []byte) {
	for {
		n := l.lanes.of(l, to, k)
		if n == nil {
			l.meter.drop(k, "too many peers", 1)
			return
		}
		took, gaveWay := n.put(to, body)
		l.meter.drop(k, "full", gaveWay)
		if took {
			l.pass(n)
			return
		}
	}
}

// pass gives remote a token of the lane, if it has none.
func (l *Link) pass(n *lane) {
	if t := n.token(time.Now()); t != nil {
		l.system.Root.Send(actor.NewPID(laneAddress(n.key.address, n.key.kind), target(t.to, n.key.kind)), t)
	}
}

// endpointEnded drops what waits for a peer whose connection is gone: it comes after remote has forgotten the endpoint, so
// that what is sent from here on gets another.
func (l *Link) endpointEnded(event any) {
	e, ok := event.(*remote.EndpointTerminatedEvent)
	if !ok {
		return
	}
	address, kind, _ := bare(e.Address)
	for _, k := range kinds {
		if kind == k.String() {
			l.meter.drop(k, "connection broke", l.lanes.remove(laneKey{address, k}))
		}
	}
}

// deliver gives a message to its handler.
func (l *Link) deliver(from Peer, k Kind, body []byte) {
	if h := l.handlers[k]; h != nil && !l.closed.Load() {
		l.meter.received(k, len(body))
		h(from, body)
	}
}

// lose tells that a connection broke.
func (l *Link) lose(p Peer, why error) {
	if l.closed.Load() || p.Name == l.self.Name {
		return
	}
	l.meter.lost.Inc()
	l.logger.Debug("a connection to another node ended", "peer", p.String(), "reason", errText(why))
	for _, f := range l.lost {
		f(p)
	}
}

func errText(err error) string {
	if err == nil {
		err = errors.New("closed by the peer")
	}
	return err.Error()
}

// Close ends all connections. It returns after the last handler did.
func (l *Link) Close() error {
	l.starting.Lock()
	closed := l.closed.Swap(true)
	l.starting.Unlock()
	if closed {
		return nil
	}
	l.streams.close()
	l.remote.Shutdown(false)
	l.own.stop()
	l.system.EventStream.Unsubscribe(l.ends)
	l.system.Shutdown()
	l.meter.unregister()
	return nil
}
