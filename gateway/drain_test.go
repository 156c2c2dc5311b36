package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
	"github.com/gorilla/websocket"
)

// drained drains in the background and returns a channel with the result.
func (h *testGateway) drained(ctx context.Context) <-chan error {
	got := make(chan error, 1)
	go func() { got <- h.srv.Drain(ctx) }()
	synctest.Wait()
	return got
}

// ends tells when each of the clients is closed, relative to start, and with which code.
func ends(start time.Time, clients []*client) <-chan string {
	out := make(chan string, len(clients))
	for _, c := range clients {
		go func() {
			code := c.closed()
			out <- fmt.Sprintf("%d %v", code, time.Since(start))
		}()
	}
	return out
}

// A drain reports not ready, tells the slots, continues to serve, and closes each session one
// second after its slot.
func TestDrain(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
		wantOne[*wire.Subscribed](c)
		wantOne[*wire.Update](c)
		start := time.Now()
		done := h.drained(t.Context())
		if !h.srv.Draining() {
			t.Fatal("a gateway that drains does not say so")
		}
		h.connect().ws.Close() // balancers have not noticed yet: new sessions are accepted
		if f := wantOne[*wire.Drain](c); f.After != 0 || f.Within != 1000 || time.Since(start) != 2*time.Second {
			t.Fatalf("told %+v after %v, want the one slot after 2 s", f, time.Since(start))
		}
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 2, 2) })
		if u := wantOne[*wire.Update](c); u.To != 2 {
			t.Fatalf("an update to %d, want to 2: a drain serves on", u.To)
		}
		c.send(`{"type":"ping","id":7}`)
		wantOne[*wire.Pong](c)
		if code := c.closed(); code != 1012 || time.Since(start) != 4*time.Second {
			t.Fatalf("closed with %d after %v, want 1012 after 2 s + 1 s + 1 s", code, time.Since(start))
		}
		if err := <-done; err != nil || h.srv.Sessions() != 0 {
			t.Fatalf("drain: %v, %d sessions left", err, h.srv.Sessions())
		}
	})
}

// After a drain has given slots, it refuses new sessions. It still answers readings.
func TestDrainRefusesNewSessions(t *testing.T) {
	inBubble(t, Config{Sessions: Sessions{DrainNotice: -1}}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		h.drained(t.Context())
		wantOne[*wire.Drain](c)
		for _, path := range []string{"/v1/ws", "/dashboard/checkout"} {
			status, head, body := h.get(path, "Connection", "Upgrade", "Upgrade", "websocket",
				"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
			if status != http.StatusServiceUnavailable || code(t, body) != wire.CodeStarting || head.Get("Retry-After") == "" {
				t.Errorf("%s during a drain: %d %s", path, status, body)
			}
		}
		if status, _, body := h.get("/v1/dashboards/checkout"); status != 200 {
			t.Errorf("reading during a drain: %d %s", status, body)
		}
		if err := h.srv.Drain(t.Context()); err == nil || !strings.Contains(err.Error(), "drains already") {
			t.Errorf("a second drain: %v", err)
		}
	})
}

// late is a connection on which nothing is read until its gate opens.
type late struct {
	net.Conn
	gate chan struct{}
}

func (l late) Read(b []byte) (int, error) {
	<-l.gate
	return l.Conn.Read(b)
}

// A session that was admitted before the slots were given, and begins afterwards, is closed with
// 4004.
func TestDrainClosesWhoComesInBetween(t *testing.T) {
	inBubble(t, Config{Sessions: Sessions{DrainNotice: -1}}, func(t *testing.T, h *testGateway) {
		gate := make(chan struct{})
		d := websocket.Dialer{NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := h.pipes.dial(ctx, network, address)
			return late{c, gate}, err
		}}
		got := make(chan int)
		go func() {
			ws, _, err := d.Dial("ws://gateway/v1/ws", nil)
			if err != nil {
				t.Error(err)
				close(got)
				return
			}
			defer ws.Close()
			got <- (&client{t, ws}).closed()
		}()
		// the answer to the handshake waits to be read: the session is admitted, but has not begun
		synctest.Wait()
		if n := h.srv.Sessions(); n != 1 {
			t.Fatalf("%d sessions, want the one that begins", n)
		}
		done := h.drained(t.Context())
		close(gate)
		if code := <-got; code != int(wire.CloseDrain) {
			t.Fatalf("closed with %d, want 4004", code)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// Slots follow each other at the rate. A plain session is closed inside its slot, the others one
// second after theirs.
func TestDrainSpreads(t *testing.T) {
	inBubble(t, Config{Sessions: Sessions{DrainNotice: -1, DrainRate: 4}}, func(t *testing.T, h *testGateway) {
		start := time.Now()
		var clients, plain []*client
		for range 8 {
			clients = append(clients, h.connect())
		}
		for range 4 {
			p := h.dial("/dashboard/checkout")
			p.text()
			plain = append(plain, p)
		}
		done := h.drained(t.Context())
		told := map[time.Duration]int{}
		for _, c := range clients {
			f := wantOne[*wire.Drain](c)
			told[time.Duration(f.After+f.Within)*time.Millisecond+drainTail]++
		}
		closed, early := ends(start, clients), ends(start, plain)
		for range clients {
			var code int
			var after string
			fmt.Sscan(<-closed, &code, &after)
			d, err := time.ParseDuration(after)
			if err != nil || code != 1012 || told[d] == 0 {
				t.Fatalf("closed with %d after %v, told %v", code, d, told)
			}
			told[d]--
		}
		seen := map[string]bool{}
		for range plain {
			seen[<-early] = true
		}
		if len(seen) != len(plain) {
			t.Errorf("plain sessions are closed at %v, want four moments", seen)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 3*time.Second || d > 4*time.Second {
			t.Errorf("12 sessions at 4 a second took %v, want three slots, and the tail of who is in the last", d)
		}
	})
}

// A deadline makes the slots larger. Sessions that leave earlier end the drain earlier.
func TestDrainFitsItsDeadline(t *testing.T) {
	inBubble(t, Config{Sessions: Sessions{DrainNotice: -1, DrainRate: 1}}, func(t *testing.T, h *testGateway) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var clients []*client
		for range 30 {
			clients = append(clients, h.connect())
		}
		start := time.Now()
		done := h.drained(ctx)
		slots := map[int64]int{}
		for _, c := range clients {
			slots[wantOne[*wire.Drain](c).After]++
		}
		if len(slots) != 3 || slots[0] != 10 || slots[2000] != 10 {
			t.Fatalf("30 sessions in 5 s are told %v, want three slots of ten", slots)
		}
		for _, c := range clients {
			c.ws.Close()
		}
		if err := <-done; err != nil || time.Since(start) > time.Second {
			t.Fatalf("drain: %v after %v, want nil at once: everybody has left", err, time.Since(start))
		}
	})
}

// A drain whose context ends says how many sessions are left. Shutdown ends a drain early and
// leaves no session.
func TestDrainEnds(t *testing.T) {
	inBubble(t, Config{Sessions: Sessions{DrainRate: 1}}, func(t *testing.T, h *testGateway) {
		h.connect()
		ctx, cancel := context.WithCancel(t.Context())
		done := h.drained(ctx)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 sessions are left") {
			t.Fatalf("drain: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		c := h.connect()
		done := h.drained(t.Context())
		codes := ends(time.Now(), []*client{c})
		h.shutdown()
		if got := <-codes; !strings.HasPrefix(got, "1012 0s") {
			t.Errorf("closed %s, want at once", got)
		}
		if err := <-done; err != nil {
			t.Errorf("a drain that Shutdown overtook: %v", err)
		}
	})
}

// After Resume, a drained gateway accepts sessions again, and can be drained again.
func TestResumeAfterDrain(t *testing.T) {
	inBubble(t, Config{Sessions: Sessions{DrainNotice: -1}}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		for round := range 3 {
			clients := round % 2 // also without sessions
			for range clients {
				h.connect()
			}
			if err := <-h.drained(t.Context()); err != nil || h.srv.Sessions() != 0 {
				t.Fatalf("round %d: drain: %v, %d sessions left", round, err, h.srv.Sessions())
			}
			h.srv.Resume()
			if h.srv.Draining() {
				t.Fatalf("round %d: still drains", round)
			}
		}
		c := h.connect()
		c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
		wantOne[*wire.Subscribed](c)
	})
}
