package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// Connections bounds the connections of a listener. Where there is no room for one more, the one
// that has waited longest for its client, between requests or within one, is closed; where none
// waits, the new one is told so.
type Connections struct {
	Max     int     // 0: 16,384
	Each    int     // of one client's address, but loopback's and proxies'; 0: a quarter of Max
	Proxies Proxies // many come through them: of whom they ask for, the sessions are counted
}

// MaxConnections is how many connections the public may have in a process that may open so many
// files and sockets: the others are for the log, the cluster, the admin listener, and connections
// that are about to be closed. Where there are too few for all of that the public gets an eighth.
func MaxConnections(files uint64) int {
	reserve := max(96, min(files/8, 2048))
	if files < reserve+16 {
		return int(max(4, min(files/8, 16)))
	}
	return int(min(files-reserve, 1<<20))
}

func (c Connections) withDefaults() Connections {
	set(&c.Max, 16_384)
	set(&c.Each, max(1, c.Max/4))
	return c
}

// spare connections are taken beyond Max to be told that there is no room; further ones are just
// closed.
func (c Connections) spare() int { return min(c.Max, 16) }

// connTable is the connections of one server's listeners.
type connTable struct {
	Connections

	mu   sync.Mutex
	open map[net.Conn]*connection
	each map[netip.Addr]int
}

// connection is one that is open.
type connection struct {
	conn    net.Conn
	address netip.Addr
	counted bool         // its address has a cap
	refused error        // it is over a cap: what its first request is told
	taken   atomic.Bool  // it is no HTTP connection any more
	waits   atomic.Int64 // since when its client is waited for, unix ns; 0: it is not
}

func newConnTable(c Connections) *connTable {
	return &connTable{Connections: c.withDefaults(), open: map[net.Conn]*connection{}, each: map[netip.Addr]int{}}
}

// Serve serves a listener within the bounds of c, until the server is shut down; it then returns
// http.ErrServerClosed.
func Serve(s *http.Server, l net.Listener, c Connections) error {
	cs := newConnTable(c)
	cs.guard(s)
	return s.Serve(limited{l, cs})
}

// guard has a server that is not serving yet keep to the bounds.
func (cs *connTable) guard(s *http.Server) {
	s.ConnState, s.ConnContext, s.Handler = cs.state, cs.context, withConnection(s.Handler)
}

// limited is a listener whose connections are counted.
type limited struct {
	net.Listener
	of *connTable
}

// Accept takes the next connection that there is room for.
func (l limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.of.add(c) {
			return c, err
		}
		_ = c.Close()
	}
}

// add counts a connection, and makes room for it where it can. It is false where the connection is
// to be closed.
func (cs *connTable) add(c net.Conn) bool {
	n := &connection{conn: c, address: addressOf(c.RemoteAddr().String())}
	n.counted = n.address.IsValid() && !n.address.IsLoopback() && !cs.Proxies.has(n.address)
	n.address = shareOf(n.address)
	n.waits.Store(time.Now().UnixNano())
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if n.counted && cs.each[n.address] >= cs.Each && !cs.evict(n) {
		n.refused = fmt.Errorf("there are %d connections of %s already, and not one of them waits", cs.each[n.address], n.address)
	}
	if len(cs.open) >= cs.Max && n.refused == nil && !cs.evict(nil) {
		n.refused = fmt.Errorf("this server has its %d connections already, and not one of them waits", cs.Max)
	}
	if n.refused != nil && len(cs.open) >= cs.Max+cs.spare() {
		return false
	}
	cs.open[c] = n
	if n.counted {
		cs.each[n.address]++
	}
	return true
}

// evict closes the connection that has waited longest for its client, of the new one's address
// where that is given.
func (cs *connTable) evict(of *connection) bool {
	var longest *connection
	since := int64(0)
	for _, n := range cs.open {
		at := n.waits.Load()
		if at != 0 && (longest == nil || at < since) && (of == nil || n.counted && n.address == of.address) {
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
	if n.counted {
		if cs.each[n.address]--; cs.each[n.address] == 0 {
			delete(cs.each, n.address)
		}
	}
}

// ended forgets a connection that is closed.
func (cs *connTable) ended(c net.Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if n := cs.open[c]; n != nil {
		cs.forget(n)
	}
}

// endedOf forgets the connection of a request that was taken from the HTTP server and closed; any
// other is ended by the server.
func (cs *connTable) endedOf(ctx context.Context) {
	if n, ok := ctx.Value(connectionKey{}).(*connection); ok && n.taken.Load() {
		cs.ended(n.conn)
	}
}

// state follows what the HTTP server makes of a connection. One that it has given away is ended by
// whoever took it.
func (cs *connTable) state(c net.Conn, s http.ConnState) {
	if s == http.StateClosed {
		cs.ended(c)
		return
	}
	cs.mu.Lock()
	n := cs.open[c]
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

// context has a request know its connection.
func (cs *connTable) context(ctx context.Context, c net.Conn) context.Context {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if n := cs.open[c]; n != nil {
		return context.WithValue(ctx, connectionKey{}, n)
	}
	return ctx
}

// waits says of a request's connection that its client is waited for, or not.
func waits(ctx context.Context, yes bool) {
	if n, ok := ctx.Value(connectionKey{}).(*connection); ok {
		n.waiting(yes)
	}
}

// withConnection refuses requests on connections that there is no room for.
func withConnection(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, ok := r.Context().Value(connectionKey{}).(*connection); ok && n.refused != nil {
			w.Header().Set("Connection", "close")
			writeStatus(w, http.StatusServiceUnavailable, wire.Errorf(wire.CodeLimit, "%v: try again", n.refused))
			return
		}
		next.ServeHTTP(w, r)
	})
}
