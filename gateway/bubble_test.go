package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/cluster/link/linktest"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
	"github.com/gorilla/websocket"
)

var checkout = messages.Key{Tenant: "default", Dashboard: "checkout"}

// pipes is a listener whose connections are net.Pipe's, so that a whole server runs in a bubble.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, errors.New("connection refused")
	}
}

// testGateway is a gateway over a feed that the test drives.
type testGateway struct {
	t     *testing.T
	feed  *localFeed
	srv   *Server
	pipes *pipes

	unlink func() // set if a link is between
}

var overLink = flag.Bool("link", false, "the gateway is apart from its feed: a link is between them")

// link puts a link between the gateway and its feed.
func (h *testGateway) link() feed.Feed {
	must := func(err error) {
		if err != nil {
			h.t.Fatal(err)
		}
	}
	network := linktest.New(1)
	listen := func(name string) *link.Link {
		l, err := link.Listen(link.Config{Node: name, Bind: name + ":1", Network: network.Of(name)})
		must(err)
		return l
	}
	ours, theirs := listen("gateway"), listen("owner")
	server, err := remote.NewServer(remote.ServerConfig{Feed: h.feed, Link: theirs})
	must(err)
	client, err := remote.NewClient(remote.ClientConfig{Directory: &home{feed: h.feed, owner: theirs.Self()}, Link: ours})
	must(err)
	must(theirs.Start())
	h.unlink = func() {
		client.Close()
		server.Close()
		must(ours.Close())
		must(theirs.Close())
	}
	return client
}

// home is a directory with one owner of one shard.
type home struct {
	feed  *localFeed
	owner link.Peer
}

func (*home) PartitionOf(messages.Key) (int, error) { return 0, nil }

func (*home) Tenant(string) (first, n int, err error) { return 0, 1, nil }

func (d *home) Source(int) (link.Peer, bool) { return d.owner, true }

func (d *home) Status(int) feed.Status { return d.feed.Status(messages.Key{}) }

func (*home) Heard() time.Time { return time.Now() }

// inBubble runs a test against its own gateway, in virtual time, and shuts the gateway down
// afterwards: a bubble ends only when every goroutine in it has ended.
func inBubble(t *testing.T, cfg Config, test func(t *testing.T, h *testGateway)) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, cfg)
		defer h.shutdown()
		test(t, h)
	})
}

func newHouse(t *testing.T, cfg Config) *testGateway {
	h := &testGateway{t: t, feed: newLocalFeed(), pipes: &pipes{conns: make(chan net.Conn), done: make(chan struct{})}}
	cfg.Feed = h.feed
	cfg.Hosts = append(cfg.Hosts, "gateway") // the tests use this host name
	var err error
	if *overLink {
		cfg.Feed = h.link()
	}
	if h.srv, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	go func() { _ = h.srv.Serve(h.pipes) }()
	return h
}

func (h *testGateway) shutdown() {
	if err := h.srv.Shutdown(context.Background()); err != nil {
		h.t.Errorf("shutdown: %v", err)
	}
	if h.unlink != nil {
		h.unlink()
	}
	synctest.Wait()
}

func (h *testGateway) step(do func(b *board, v uint64)) uint64 { return h.feed.step(checkout, do) }

// client is one WebSocket connection of a test.
type client struct {
	t  *testing.T
	ws *websocket.Conn
}

func (h *testGateway) dial(path string) *client {
	h.t.Helper()
	d := websocket.Dialer{NetDialContext: h.pipes.dial, Subprotocols: []string{wire.Protocol}}
	ws, _, err := d.Dial("ws://gateway"+path, nil)
	if err != nil {
		h.t.Fatalf("dial %s: %v", path, err)
	}
	h.t.Cleanup(func() { _ = ws.Close() })
	return &client{h.t, ws}
}

// connect returns a client that has received connected.
func (h *testGateway) connect() *client {
	h.t.Helper()
	c := h.dial("/v1/ws")
	if f, ok := c.frame().(*wire.Connected); !ok || f.Limits.Subscriptions == 0 {
		h.t.Fatalf("first frame is %#v, want connected", f)
	}
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatalf("send %s: %v", text, err)
	}
}

func (c *client) text() string {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(time.Minute))
	_, b, err := c.ws.ReadMessage()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return string(b)
}

func (c *client) frame() wire.Frame {
	c.t.Helper()
	text := c.text()
	f, err := wire.ParseFrame([]byte(text))
	if err != nil {
		c.t.Fatalf("frame %s: %v", text, err)
	}
	return f
}

// wantOne reads a frame of type F.
func wantOne[F wire.Frame](c *client) F {
	c.t.Helper()
	got := c.frame()
	f, ok := got.(F)
	if !ok {
		c.t.Fatalf("got %s, want a %T", wire.Encode(got), f)
	}
	return f
}

// silent fails if anything comes within d.
func (c *client) silent(d time.Duration) {
	c.t.Helper()
	got := make(chan string, 1)
	go func() {
		_, b, err := c.ws.ReadMessage()
		if err == nil {
			got <- string(b)
		}
		close(got)
	}()
	_ = c.ws.SetReadDeadline(time.Now().Add(d)) // a timeout ends this connection
	if text, ok := <-got; ok {
		c.t.Fatalf("got %s, want silence", text)
	}
}

// closed reads until the close and returns its code.
func (c *client) closed() int {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(10 * time.Minute))
	for {
		_, _, err := c.ws.ReadMessage()
		var ce *websocket.CloseError
		if errors.As(err, &ce) {
			return ce.Code
		}
		if err != nil {
			c.t.Fatalf("read until close: %v", err)
		}
	}
}

// get sends a GET request over HTTP.
func (h *testGateway) get(path string, header ...string) (status int, head http.Header, body string) {
	return h.do("GET", path, header...)
}

func (h *testGateway) do(method, path string, header ...string) (status int, head http.Header, body string) {
	h.t.Helper()
	r, err := http.NewRequest(method, "http://gateway"+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{DialContext: h.pipes.dial, DisableKeepAlives: true}
	res, err := tr.RoundTrip(r)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res.StatusCode, res.Header, strings.TrimSpace(string(b))
}

// code returns the error code of a body.
func code(t *testing.T, body string) wire.Code {
	t.Helper()
	var e struct{ Error wire.Error }
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	return e.Error.Code
}
