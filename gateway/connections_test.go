package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/gorilla/websocket"
)

// TestIdleConnectionsMakeWay: connections that wait for their client, in any state, keep no new
// connection out.
func TestIdleConnectionsMakeWay(t *testing.T) {
	for name, sent := range map[string]string{
		"nothing sent":        "",
		"half a head":         "POST /v1/events HTTP/1.1\r\nHost: local",
		"a byte of a body":    "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{",
		"a byte of a chunk":   "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n{",
		"a definition's byte": "PUT /v1/dashboards/a/definition HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{",
		"between requests":    "GET /v1/dashboards HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"pipelined":           strings.Repeat("GET /v1/dashboards HTTP/1.1\r\nHost: localhost\r\n\r\n", 3) + "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			l := openLog(t, nil)
			g := newIngest(t, IngestConfig{Log: l})
			feed := newLocalFeed()
			d, err := NewDefinitions(DefinitionsConfig{Feed: feed, Log: l})
			if err != nil {
				t.Fatal(err)
			}
			s, address := listening(t, Config{Feed: feed, Events: g, Definitions: d, Limits: limitsOf(t, limits.Values{limits.ProcessConnections: 40})})
			for range 150 {
				if _, err := io.WriteString(from(t, "127.0.0.1", address), sent); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
					t.Fatal(err)
				}
			}
			for range 3 {
				if status, body := posted(t, from(t, "127.0.0.1", address)); status != 202 {
					t.Errorf("%d %s", status, body)
				}
			}
			s.conns.mu.Lock()
			defer s.conns.mu.Unlock()
			if n := len(s.conns.open); n > 40+s.conns.spare() {
				t.Errorf("%d connections are open", n)
			}
		})
	}
}

// TestSessionsAreNotEvicted: if no connection waits, a new client is told so at once. It is
// accepted after another one has left.
func TestSessionsAreNotEvicted(t *testing.T) {
	s, address := listening(t, Config{Limits: limitsOf(t, limits.Values{limits.ProcessConnections: 5})})
	var sessions []*websocket.Conn
	for range 5 {
		ws, _, err := websocket.DefaultDialer.Dial("ws://"+address+"/v1/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		sessions = append(sessions, ws)
	}
	for range 3 * s.conns.spare() { // a refused connection makes room for the next one
		if status, body := raw(t, address, "GET /v1/dashboards HTTP/1.1\r\nHost: localhost\r\n\r\n"); status != 429 || !strings.Contains(body, `"code":1107`) || !strings.Contains(body, "limit process-connections is reached") {
			t.Fatalf("beside five sessions: %d %s", status, body)
		}
	}
	for _, ws := range sessions {
		if _, _, err := ws.ReadMessage(); err != nil { // connected
			t.Errorf("a session was closed: %v", err)
		}
	}
	_ = sessions[0].Close()
	for { // until the gateway has noticed it
		s.conns.mu.Lock()
		n := len(s.conns.open)
		s.conns.mu.Unlock()
		if n < 5 {
			break
		}
		if status, _ := raw(t, address, "GET /v1/dashboards HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); status == 200 {
			break
		}
	}
}

// at is a connection with a given address.
type at struct {
	net.Conn
	address string
}

func (a at) RemoteAddr() net.Addr {
	n, _ := net.ResolveTCPAddr("tcp", a.address)
	return n
}

// TestConnectionsOfOneAddress: the connections of one address are bounded, except those of loopback
// and of proxies. An IPv6 network counts as one address.
func TestConnectionsOfOneAddress(t *testing.T) {
	proxies, _ := ParseProxies([]string{"10.0.0.0/8"})
	for _, c := range []struct {
		address string // % is replaced by a counter
		want    int    // open connections of ten
	}{
		{"192.0.2.1:%d", 4},
		{"192.0.2.%d:1", 10},
		{"[2001:db8:1:2::%d]:1", 4},
		{"[2001:db8:1:%d::1]:1", 10},
		{"127.0.0.1:%d", 10},
		{"[::1]:%d", 10},
		{"[::ffff:127.0.0.1]:%d", 10},
		{"10.1.2.3:%d", 10},
	} {
		cs := newConnTable(Connections{Max: 100, Each: 4, Proxies: proxies})
		for i := range 10 {
			client, server := net.Pipe()
			defer client.Close()
			if !cs.add(at{server, fmt.Sprintf(c.address, i+1)}) {
				t.Errorf("%s: the %dth was not taken", c.address, i+1)
			}
		}
		if len(cs.open) != c.want {
			t.Errorf("%s: %d of ten are open, want %d", c.address, len(cs.open), c.want)
		}
		var conns []net.Conn
		for n := range cs.open {
			conns = append(conns, n)
		}
		for _, n := range conns {
			cs.ended(n)
		}
		if len(cs.open)+len(cs.each) != 0 {
			t.Errorf("%s: after all %d are open, %d addresses known", c.address, len(cs.open), len(cs.each))
		}
	}
}

// TestSessionsOfForwardedClients: sessions through a proxy are counted by the client that it names.
func TestSessionsOfForwardedClients(t *testing.T) {
	proxies, _ := ParseProxies([]string{"127.0.0.1"})
	s, address := listening(t, Config{Proxies: proxies, Limits: limitsOf(t, limits.Values{limits.ProcessConnections: 100, limits.AddressConnections: 2})})
	dial := func(client string) (*websocket.Conn, int) {
		ws, resp, err := websocket.DefaultDialer.Dial("ws://"+address+"/v1/ws", http.Header{"X-Forwarded-For": {client}})
		if err != nil && resp == nil {
			t.Fatal(err)
		}
		return ws, resp.StatusCode
	}
	var open []*websocket.Conn
	for client, statuses := range map[string][]int{"192.0.2.1": {101, 101, 429}, "192.0.2.2": {101}, "": {101, 101, 101, 101}} {
		for i, want := range statuses {
			ws, status := dial(client)
			if status != want {
				t.Errorf("session %d of %q: %d, want %d", i+1, client, status, want)
			}
			if ws != nil {
				open = append(open, ws)
			}
		}
	}
	for _, ws := range open {
		_ = ws.Close()
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.cfg.Limits.Held(); n != 0 || len(s.conns.open) != 0 {
		t.Errorf("after all: %d are held, %d connections", n, len(s.conns.open))
	}
}

// exhausted is a listener in a process without free descriptors.
type exhausted struct{ *pipes }

func (e exhausted) Accept() (net.Conn, error) {
	select {
	case <-e.done:
		return nil, net.ErrClosed
	default:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
}

// TestRepeatedErrorsAreToldOnceAMinute: a listener that fails for an hour logs one line a minute,
// and keeps trying.
func TestRepeatedErrorsAreToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s, err := New(Config{Feed: newLocalFeed(), Logger: slog.New(slog.NewTextHandler(&out, nil))})
		if err != nil {
			t.Fatal(err)
		}
		l := exhausted{&pipes{done: make(chan struct{})}}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		time.Sleep(time.Hour)
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		lines := strings.Count(out.String(), "\n")
		if lines < 59 || lines > 65 || !strings.Contains(out.String(), "too many open files") || !strings.Contains(out.String(), "repeated=59") {
			t.Errorf("%d lines in an hour: %.1000s", lines, out.String())
		}
	})
	r := &repeats{log: slog.New(slog.DiscardHandler), kinds: map[string]*repeat{}}
	for i := range 1000 {
		fmt.Fprintf(r, "kind %c%c", 'a'+i%26, 'a'+i/26%26)
	}
	if len(r.kinds) > repeatKinds {
		t.Errorf("%d kinds are kept", len(r.kinds))
	}
}

// TestMaxConnections: descriptors are reserved for the log and the admin listener, however few
// there are.
func TestMaxConnections(t *testing.T) {
	for files, want := range map[uint64]int{0: 4, 64: 8, 111: 13, 112: 16, 256: 160, 1024: 896, 20_000: 17_952, 1 << 20: 1<<20 - 2048, 1<<64 - 1: 1 << 20} {
		if got := MaxConnections(files); got != want {
			t.Errorf("of %d descriptors %d are the public's, want %d", files, got, want)
		}
	}
}
