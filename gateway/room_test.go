package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/gateway/limits"
)

const anEvent = `{"dashboard":"a","metric":"m","value":1}`

// ingestDoor returns a gateway on a real socket, with bodies of at most 64 KiB, 384 KiB for all
// bodies and 192 KiB for one client.
func ingestDoor(t *testing.T) (g *Ingest, address string) {
	t.Helper()
	g = newIngest(t, IngestConfig{Log: openLog(t, nil), BodyBytes: 64 << 10, Limits: limitsOf(t, limits.Values{limits.ProcessBodyBytes: 384 << 10})})
	_, address = listening(t, Config{Events: g})
	return g, address
}

// from dials from a loopback address.
func from(t *testing.T, local, address string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
	c, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// begun sends the head of a request and the first n bytes of its body.
func begun(t *testing.T, c net.Conn, n int, header ...string) {
	t.Helper()
	head := "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(append(header, ""), "\r\n")
	if len(header) == 0 {
		head += fmt.Sprintf("Content-Length: %d\r\n", n+1)
	}
	if _, err := io.WriteString(c, head+"\r\n"+strings.Repeat(" ", n)); err != nil {
		t.Fatal(err)
	}
}

// posted posts an event on a connection and returns the status and body of the answer.
func posted(t *testing.T, c net.Conn, header ...string) (status int, body string) {
	t.Helper()
	head := "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(append(header, ""), "\r\n")
	if _, err := io.WriteString(c, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(anEvent), anEvent)); err != nil {
		t.Fatal(err)
	}
	return answered(t, c)
}

func answered(t *testing.T, c net.Conn) (status int, body string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// heldBy waits until that many bodies hold at least as many bytes together, and returns how many.
func (r *room) heldBy(bodies int, bytes int64) int64 {
	for {
		r.mu.Lock()
		n := 0
		for b := range r.reading {
			if b.reserved > 0 {
				n++
			}
		}
		held, changed := r.held, r.change()
		r.mu.Unlock()
		if n >= bodies && held >= bytes {
			return held
		}
		<-changed
	}
}

// TestStalledBodies: bodies that lack a byte make way for a complete one, whichever client they
// belong to.
func TestStalledBodies(t *testing.T) {
	for name, stalled := range map[string][]string{
		"of one client":     {"127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"},
		"of three clients":  {"127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.3", "127.0.0.4", "127.0.0.4"},
		"of many, and ours": {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.1", "127.0.0.1"},
	} {
		for kind, header := range map[string][]string{"length told": nil, "gzip": {"Content-Encoding: gzip", "Content-Length: 65536"}} {
			t.Run(name+", "+kind, func(t *testing.T) {
				g, address := ingestDoor(t)
				var conns []net.Conn
				for i, at := range stalled {
					conns = append(conns, from(t, at, address))
					begun(t, conns[i], 65_535, header...)
				}
				began := time.Now()
				for range 10 {
					if status, body := posted(t, from(t, "127.0.0.1", address)); status != 202 {
						t.Fatalf("%d %s", status, body)
					}
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("ten events took %v", took)
				}
				if held := g.bodies.room.heldBy(0, 0); held > 384<<10 {
					t.Errorf("%d bytes are held", held)
				}
			})
		}
	}
}

// TestSharesOfBodies: a client that has used up its share makes way with its own bodies, and those
// of another client stay.
func TestSharesOfBodies(t *testing.T) {
	g, address := ingestDoor(t)
	other := from(t, "127.0.0.2", address)
	begun(t, other, 40_000)
	for range 3 {
		begun(t, from(t, "127.0.0.1", address), 65_000)
	}
	if held := g.bodies.room.heldBy(4, 4*64<<10); held != 4*64<<10 {
		t.Fatalf("four bodies hold %d bytes", held)
	}
	if status, body := posted(t, from(t, "127.0.0.1", address)); status != 202 {
		t.Errorf("one more of the same client: %d %s", status, body)
	}
	if _, err := io.WriteString(other, "x"); err != nil {
		t.Fatal(err)
	}
	if status, body := answered(t, other); status != 400 || !strings.Contains(body, "unexpected") {
		t.Errorf("the other client's body was not read to its end: %d %s", status, body)
	}
}

// TestNothingIsHeldBeforeBytesCame: a head alone takes no room, one byte takes the smallest buffer.
func TestNothingIsHeldBeforeBytesCame(t *testing.T) {
	g := newIngest(t, IngestConfig{Log: nowhere{}})
	inBubble(t, Config{Events: g}, func(t *testing.T, h *testGateway) {
		want := int64(0)
		for _, header := range []string{"Content-Length: 65536", "Transfer-Encoding: chunked", "Content-Encoding: gzip\r\nContent-Length: 65536"} {
			conn, err := h.pipes.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, sent := range []string{"POST /v1/events HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n\r\n", "1\r\n "} {
				if _, err := io.WriteString(conn, sent); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if held := g.bodies.room.heldBy(0, 0); held != want {
					t.Errorf("%s, after %q: %d bytes are held, want %d", header, sent, held, want)
				}
				want += firstBodyBytes
			}
			want -= firstBodyBytes
		}
	})
}

// TestManySmallBodies: one byte on each of many connections takes little room.
func TestManySmallBodies(t *testing.T) {
	g, address := ingestDoor(t)
	for range 500 {
		begun(t, from(t, "127.0.0.1", address), 1)
	}
	if status, body := posted(t, from(t, "127.0.0.1", address)); status != 202 {
		t.Errorf("beside 500 bodies of one byte: %d %s", status, body)
	}
	if held := g.bodies.room.heldBy(0, 0); held > 192<<10 {
		t.Errorf("one client holds %d bytes", held)
	}
}

// TestForwardedClients: behind a proxy, the client that the proxy names has the share. What a
// client itself claims does not count.
func TestForwardedClients(t *testing.T) {
	proxies, err := ParseProxies([]string{"127.0.0.9", "10.0.0.0/8", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "198.51.100.1", "192.0.2.1"},
		{"127.0.0.9:5", "", "127.0.0.9"},
		{"127.0.0.9:5", "198.51.100.1", "198.51.100.1"},
		{"127.0.0.9:5", "203.0.113.5, 198.51.100.1", "198.51.100.1"},
		{"127.0.0.9:5", "203.0.113.5, 198.51.100.1, 10.1.2.3", "198.51.100.1"},
		{"127.0.0.9:5", "203.0.113.5 ,198.51.100.1:4711", "198.51.100.1"},
		{"127.0.0.9:5", "unknown", "127.0.0.9"},
		{"127.0.0.9:5", "198.51.100.1, nonsense", "127.0.0.9"},
		{"127.0.0.9:5", "10.1.1.1, 10.2.2.2", "10.1.1.1"},
		{"[2001:db8::1]:5", "[2001:470:1:2:3::4]:80", "2001:470:1:2::"},
		{"[::ffff:10.0.0.1]:5", "::ffff:198.51.100.1", "198.51.100.1"},
		{"[fe80::1%eth0]:5", "", "fe80::"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": strings.Split(c.forwarded, "|")}}
		if got := proxies.Client(r).String(); got != c.want {
			t.Errorf("%s, forwarded for %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
	for _, text := range []string{"", "proxy", "10.0.0.0/33", "10.0.0"} {
		if _, err := ParseProxies([]string{text}); err == nil || !strings.Contains(err.Error(), "10.0.0.0/8") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestLeastRate: a body must bring 10 KiB in each 10 s, and must be complete within a minute.
func TestLeastRate(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes int // bytes of each write
		every time.Duration
		head  string
		after time.Duration // time of the answer; 0: the body comes whole
		says  string
	}{
		{"a byte a second", 1, time.Second, "Content-Length: 60000", 10 * time.Second, "bytes in 10s"},
		{"nothing", 0, time.Hour, "Content-Length: 60000", 10 * time.Second, "0 bytes in 10s"},
		{"in chunks", 1, time.Second, "Transfer-Encoding: chunked", 10 * time.Second, "bytes in 10s"},
		{"compressed", 1, time.Second, "Content-Length: 60000\r\nContent-Encoding: gzip", 10 * time.Second, "bytes in 10s"},
		{"just enough", 1200, time.Second, "Content-Length: 36000", 0, ""},
		{"just enough for too long", 1200, time.Second, "Content-Length: 100000", time.Minute, "after 1m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Config{Events: newIngest(t, IngestConfig{Log: nowhere{}, BodyBytes: 128 << 10})}, func(t *testing.T, h *testGateway) {
				conn, err := h.pipes.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				began, done := time.Now(), make(chan struct{})
				go func() {
					defer close(done)
					_, err := io.WriteString(conn, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n"+c.head+"\r\n\r\n")
					for sent := 0; err == nil && sent < 100_000; sent += c.bytes {
						time.Sleep(c.every)
						if strings.HasPrefix(c.head, "Transfer") {
							_, err = fmt.Fprintf(conn, "%x\r\n%s\r\n", c.bytes, strings.Repeat(" ", c.bytes))
						} else {
							_, err = io.WriteString(conn, strings.Repeat(" ", c.bytes))
						}
					}
				}()
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				took := time.Since(began)
				_ = conn.Close()
				<-done
				if c.after == 0 {
					if !strings.Contains(string(b), "holds no event") {
						t.Errorf("%d %s after %v", resp.StatusCode, b, took)
					}
					return
				}
				if resp.StatusCode != 429 || took != c.after || !strings.Contains(string(b), c.says) || !resp.Close {
					t.Errorf("%d %s after %v, want 429 with %q after %v, and a close", resp.StatusCode, b, took, c.says, c.after)
				}
			})
		})
	}
}

// TestSlowestIsCut: of bodies that are not new the slowest makes way, not the newest and not the
// largest.
func TestSlowestIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(100, 100)
		began := time.Now()
		make1 := func(rate float64, silent time.Duration) *body {
			b := &body{of: &bodies{room: r}, began: began, last: time.Now().Add(-silent), rate: rate, conn: http.NewResponseController(nil)}
			r.enter(b, addressOf("127.0.0.1"))
			if err := r.take(t.Context(), b, 25); err != nil {
				t.Fatal(err)
			}
			return b
		}
		time.Sleep(20 * time.Second)
		fast, steady, burst, slow := make1(1e6, 0), make1(50e3, 0), make1(8e6, 8*time.Second), make1(1e3, 0)
		newest := &body{of: fast.of, began: time.Now(), last: time.Now()}
		r.enter(newest, addressOf("127.0.0.1"))
		for _, want := range []*body{slow, burst, steady, fast} {
			taken := make(chan error, 1)
			go func() { taken <- r.take(t.Context(), newest, 25) }()
			synctest.Wait()
			for _, b := range []*body{fast, steady, burst, slow, newest} {
				if b.cut != (b == want) && b.reserved > 0 {
					t.Errorf("cut %v of rate %.0f, want that of %.0f", b.cut, b.rate, want.rate)
				}
			}
			r.leave(want)
			if err := <-taken; err != nil {
				t.Fatal(err)
			}
			want.cut = false
		}
	})
}

// nowhere is a log that cannot be reached.
type nowhere struct{ eventlog.Appender }
