package gateway

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Connections bounds the connections of a listener. If there is no room for a new connection, the
// one that has waited longest for its client, between requests or within one, is closed. If none
// waits, the new connection gets an error.
type Connections struct {
	Max int // most connections; 0: as Limits say
	// of one client address, except loopback and proxies; 0: as Limits say
	Each int
	// many clients connect through them: sessions are counted by the client that they name
	Proxies Proxies
	Limits  *limits.Limits // nil: the defaults
}

// MaxConnections returns how many public connections a process may have that can open the given
// number of files and sockets. The others are reserved for the log, the cluster, the admin
// listener, and connections that are about to be closed. If there are too few for all of these, the
// public gets an eighth.
func MaxConnections(files uint64) int {
	reserve := max(96, min(files/8, 2048))
	if files < reserve+16 {
		return int(max(4, min(files/8, 16)))
	}
	return int(min(files-reserve, 1<<20))
}

func (c Connections) withDefaults() Connections {
	if c.Limits == nil {
		c.Limits = limits.Default()
	}
	set(&c.Max, c.Limits.MostInt(limits.ProcessConnections))
	set(&c.Each, c.Limits.MostInt(limits.AddressConnections))
	return c
}

// spare returns how many connections may be open that are refused and wait for that answer. Further
// ones are closed at once.
func (c Connections) spare() int { return min(c.Max, 16) }

// connTable holds the connections of one server's listeners.
type connTable struct {
	Connections

	mu      sync.Mutex
	open    map[net.Conn]*connection
	each    map[netip.Addr]int
	refused int // of open
}

// connection is one open connection.
type connection struct {
	conn    net.Conn
	address netip.Addr
	counted bool        // its address has a cap
	refused *wire.Error // the answer to its first request; nil: it is served
	taken   atomic.Bool // it is not an HTTP connection any more
	// since when it has been waiting for its client, unix ns; 0: it is not waiting
	waits atomic.Int64
}

func newConnTable(c Connections) *connTable {
	return &connTable{Connections: c.withDefaults(), open: map[net.Conn]*connection{}, each: map[netip.Addr]int{}}
}

// Serve serves a listener within the bounds of c until the server is shut down. It then returns
// http.ErrServerClosed.
func Serve(s *http.Server, l net.Listener, c Connections) error {
	cs := newConnTable(c)
	cs.guard(s)
	return serveHTTP(s, limited{l, cs})
}

// serveHTTP serves a listener, with TLS if the server is configured for it. Browsers use HTTP/2
// then, and HTTP/1.1 for WebSockets.
func serveHTTP(s *http.Server, l net.Listener) error {
	if s.TLSConfig != nil {
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}

// guard makes a server keep to the bounds. Call it before the server serves. A connection of HTTP/2
// keeps the bytes of bodies that no handler has read yet: without a bound, a thousand connections
// would keep a gigabyte. It is the least that HTTP/2 allows: clients may send 65,535 bytes before
// they know of another one.
func (cs *connTable) guard(s *http.Server) {
	s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 32, MaxReceiveBufferPerConnection: 64 << 10, MaxReceiveBufferPerStream: 64 << 10}
	s.ConnState, s.ConnContext, s.Handler = cs.state, cs.context, withConnection(s.Handler)
}

// limited is a listener whose connections are counted.
type limited struct {
	net.Listener
	of *connTable
}

// Accept returns the next connection for which there is room.
func (l limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.of.add(c) {
			return c, err
		}
		_ = c.Close()
	}
}

// add counts a connection, and makes room for it if possible. It returns false if the connection
// must be closed.
func (cs *connTable) add(c net.Conn) bool {
	n := &connection{conn: c, address: addressOf(c.RemoteAddr().String())}
	proxy, local := cs.Proxies.has(n.address), !n.address.IsValid() || n.address.IsLoopback()
	n.counted = !proxy && (!local || cs.Limits.Given(limits.AddressConnections))
	n.address = shareOf(n.address)
	n.waits.Store(time.Now().UnixNano())
	by := limits.By{Address: n.address, Local: local}
	if !proxy { // its clients are counted, when they open sessions
		n.refused = cs.Limits.Take(limits.AddressConnects, &by, limits.Key{}, 1)
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if n.refused == nil {
		n.refused = cs.room(n, &by)
	}
	if n.refused != nil && cs.refused >= cs.spare() {
		return false
	}
	cs.open[c] = n
	if n.refused != nil {
		cs.refused++
		return true
	}
	if n.counted {
		cs.each[n.address]++
	}
	return true
}

// room makes room for a connection, or returns why there is none.
func (cs *connTable) room(n *connection, by *limits.By) *wire.Error {
	if n.counted && cs.each[n.address] >= cs.Each && !cs.evict(n) {
		return cs.Limits.Refuse(limits.AddressConnections, by, float64(cs.Each))
	}
	if len(cs.open)-cs.refused >= cs.Max && !cs.evict(nil) {
		return cs.Limits.Refuse(limits.ProcessConnections, by, float64(cs.Max))
	}
	return nil
}

// evict closes the connection that has waited longest for its client. If of is given, only
// connections of its address qualify.
func (cs *connTable) evict(of *connection) bool {
	var longest *connection
	since := int64(0)
	for _, n := range cs.open {
		at := n.waits.Load()
		if at != 0 && n.refused == nil && (longest == nil || at < since) && (of == nil || n.counted && n.address == of.address) {
			longest, since = n, at
		}
	}
	if longest == nil {
		return false
	}
	cs.forget(longest)
	_ = longest.conn.Close()
	return true
}

func (cs *connTable) forget(n *connection) {
	delete(cs.open, n.conn)
	if n.refused != nil {
		cs.refused--
	} else if n.counted {
		if cs.each[n.address]--; cs.each[n.address] == 0 {
			delete(cs.each, n.address)
		}
	}
}

// ended removes a closed connection.
func (cs *connTable) ended(c net.Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if n := cs.open[socketOf(c)]; n != nil {
		cs.forget(n)
	}
}

// endedOf removes the connection of a request if it was taken from the HTTP server and closed. The
// server ends every other connection.
func (cs *connTable) endedOf(ctx context.Context) {
	if n, ok := ctx.Value(connectionKey{}).(*connection); ok && n.taken.Load() {
		cs.ended(n.conn)
	}
}

// state follows the states that the HTTP server gives a connection. A hijacked connection is ended
// by its new owner.
func (cs *connTable) state(c net.Conn, s http.ConnState) {
	if s == http.StateClosed {
		cs.ended(c)
		return
	}
	cs.mu.Lock()
	n := cs.open[socketOf(c)]
	cs.mu.Unlock()
	if n == nil {
		return
	}
	n.taken.Store(s == http.StateHijacked)
	n.waiting(s == http.StateNew || s == http.StateIdle)
}

func (n *connection) waiting(yes bool) {
	at := int64(0)
	if yes {
		at = time.Now().UnixNano()
	}
	n.waits.Store(at)
}

type connectionKey struct{}

// context stores the connection in the context of its requests.
func (cs *connTable) context(ctx context.Context, c net.Conn) context.Context {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if n := cs.open[socketOf(c)]; n != nil {
		return context.WithValue(ctx, connectionKey{}, n)
	}
	return ctx
}

// waits notes whether a request's connection is waiting for its client.
func waits(ctx context.Context, yes bool) {
	if n, ok := ctx.Value(connectionKey{}).(*connection); ok {
		n.waiting(yes)
	}
}

// withConnection refuses requests on connections for which there is no room.
func withConnection(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, ok := r.Context().Value(connectionKey{}).(*connection); ok && n.refused != nil {
			w.Header().Set("Connection", "close")
			writeError(w, n.refused)
			return
		}
		next.ServeHTTP(w, r)
	})
}
