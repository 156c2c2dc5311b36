package gateway

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
)

// One idle plain session takes a bounded amount of the gateway's heap and stacks, not counting
// kernel memory. bench/ measures from outside by how much a whole process grows.
func TestIdleSessionIsSmall(t *testing.T) {
	const sessions, maxBytes = 500, 12 << 10
	h := newLocalFeed()
	h.step(checkout, func(b *board, v uint64) { b.newest(v, "latency", 1, 1, "") })
	srv, err := New(Config{Feed: h})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()

	clients := make([]net.Conn, 0, sessions)
	open := func(n int) {
		for range n {
			c := handshake(t, l.Addr().String())
			clients = append(clients, c)
		}
	}
	open(20) // makes what is made only once
	before := inUse()
	open(sessions)
	each := (inUse() - before) / sessions
	t.Logf("%d bytes a session, of which the test's own end is a part", each)
	if each > maxBytes {
		t.Errorf("an idle session costs %d bytes, want at most %d", each, maxBytes)
	}
	if n := runtime.NumGoroutine(); n > sessions+100 {
		t.Errorf("%d goroutines for %d sessions: want one each", n, sessions)
	}
	for _, c := range clients {
		_ = c.Close()
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// handshake opens a plain session by hand: a client library's buffers would be counted, too.
func handshake(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	const ask = "GET /dashboard/checkout HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := c.Write([]byte(ask)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4<<10)
	for got := ""; !strings.Contains(got, "initial-state"); {
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got += string(b[:n])
	}
	return c
}

// inUse returns how much memory the runtime holds for the program after a collection.
func inUse() int {
	runtime.GC()
	runtime.GC() // pools release what they hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}
