package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// listening returns a gateway that serves a real socket until the test ends.
func listening(t *testing.T, cfg Config) (s *Server, address string) {
	t.Helper()
	if cfg.Feed == nil {
		cfg.Feed = newLocalFeed()
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // connections that a test has left open are cut
		_ = s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

// raw sends bytes and returns the status and body of the answer.
func raw(t *testing.T, address, request string) (status int, body string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, ""
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestHosts: a request for another host name than the gateway's is refused on every path, in
// whatever form it names the host.
func TestHosts(t *testing.T) {
	_, address := listening(t, Config{Hosts: []string{"Dash.Example.com.", "gateway-1"}, Origins: []string{"https://wall.example:8443"}})
	for host, ok := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8080": true, "192.0.2.7:1": true, "[::1]": true, "[::1]:8080": true, "[fe80::1%25eth0]:8080": true,
		"[fe80::1%eth0]": true, "127.0.0.1.": true, "localhost": true, "LocalHost:80": true, "localhost.": true, "localhost:": true,
		"dash.example.com": true, "DASH.example.com:443": true, "dash.example.com.:8080": true, "gateway-1:9090": true, "wall.example": true,

		"evil.example": false, "evil.example:8080": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "127.0.0.1.nip.io": false,
		"example.com": false, "x.dash.example.com": false, "dash.example.com.evil": false, "foo.localhost": false, "2130706433": false, "0x7f.1": false,
		"": false, "[evil.example]": false, "127.0.0.1:8080:evil.example": false,
	} {
		for _, path := range []string{"/", "/v1/dashboards", "/v1/ws", "/nowhere"} {
			status, body := raw(t, address, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host))
			if ok && status == http.StatusMisdirectedRequest || !ok && status != http.StatusMisdirectedRequest {
				t.Errorf("%s of host %q: %d %s", path, host, status, body)
			}
			if !ok && (code(t, body) != wire.CodeForbidden || !strings.Contains(body, host) || !strings.Contains(body, "--hosts")) {
				t.Errorf("%s of host %q says %s", path, host, body)
			}
		}
	}
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"HTTP/1.0 without a host":            {"GET /v1/dashboards HTTP/1.0\r\n\r\n", 200},
		"HTTP/1.0 with another":              {"GET /v1/dashboards HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421},
		"HTTP/1.1 without one":               {"GET /v1/dashboards HTTP/1.1\r\nConnection: close\r\n\r\n", 400},
		"two hosts":                          {"GET /v1/dashboards HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400},
		"another in the target":              {"GET http://evil.example/v1/dashboards HTTP/1.1\r\nHost: localhost\r\n\r\n", 421},
		"another, HTTP/1.0, in the target":   {"GET http://evil.example/v1/dashboards HTTP/1.0\r\n\r\n", 421},
		"ours in the target, which counts":   {"GET http://dash.example.com/v1/dashboards HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 200},
		"a tunnel to another":                {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 421},
		"an event for another":               {"POST /v1/events HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}", 421},
		"a handshake for another":            {"GET /v1/ws HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 421},
		"a handshake for ours by its origin": {"GET /v1/ws HTTP/1.1\r\nHost: dash.example.com:80\r\nOrigin: http://Dash.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 101},
	} {
		if status, body := raw(t, address, c.request); status != c.status {
			t.Errorf("%s: %d %s, want %d", name, status, body, c.status)
		}
	}
}

// TestHostsOverHTTP2: in HTTP/2 the host is in :authority.
func TestHostsOverHTTP2(t *testing.T) {
	s, _ := listening(t, Config{})
	server := httptest.NewUnstartedServer(s.Handler())
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for host, want := range map[string]int{"": 200, "localhost": 200, "evil.example": 421} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/dashboards", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != want {
			t.Errorf("host %q over HTTP/%d: %d, want %d", host, resp.ProtoMajor, resp.StatusCode, want)
		}
	}
}

// TestParseHosts: names that an operator may not write.
func TestParseHosts(t *testing.T) {
	for text, says := range map[string]string{
		"": "names no host", "https://dash.example.com": "no name", "dash.example.com:80": "leave it out", "*.example.com": "no name",
		"dash.example.com/": "no name", "münchen.example": "punycode", "a b": "no name", "-a": "no name",
	} {
		if _, err := ParseHosts([]string{"good.example", text}, nil); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "good") {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}
