package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// asked sends a request with headers, given as name, value, ….
func (h *testGateway) asked(method, path string, headers ...string) *http.Response {
	h.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, "http://gateway"+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	transport := &http.Transport{DialContext: h.pipes.dial, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		h.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// TestPreflight: a page of an allowed origin may send what the protocol needs, also its cookie; a
// page of another one is refused, and told nothing.
func TestPreflight(t *testing.T) {
	const wall = "https://wall.example"
	inBubble(t, Config{Origins: []string{wall}}, func(t *testing.T, h *testGateway) {
		for _, path := range []string{"/v1/events", "/v1/dashboards/x/definition", "/v1/session", "/none"} {
			resp := h.asked("OPTIONS", path, "Origin", wall, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization, if-match")
			allowed := strings.Split(resp.Header.Get("Access-Control-Allow-Headers"), ", ")
			for _, name := range []string{"Authorization", "Content-Type", "Content-Encoding", "If-Match", "If-None-Match"} {
				if !slices.Contains(allowed, name) {
					t.Errorf("%s: %s is not among the allowed headers, %v", path, name, allowed)
				}
			}
			for name, want := range map[string]string{
				"Access-Control-Allow-Origin": wall, "Access-Control-Allow-Credentials": "true",
				"Access-Control-Allow-Methods": "GET, POST, PUT, DELETE", "Access-Control-Max-Age": "600",
			} {
				if got := resp.Header.Get(name); resp.StatusCode != http.StatusNoContent || got != want {
					t.Errorf("%s: %s, %s is %q, want %q", path, resp.Status, name, got, want)
				}
			}
		}
		for _, origin := range []string{"https://evil.example", "null", wall + ".evil", "https://wall.example:8443", "*"} {
			resp := h.asked("OPTIONS", "/v1/events", "Origin", origin, "Access-Control-Request-Method", "POST")
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s is told %s: %s", origin, name, resp.Header.Get(name))
				}
			}
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %s", origin, resp.Status)
			}
		}
		// no preflight: an OPTIONS without the header
		if resp := h.asked("OPTIONS", "/v1/events", "Origin", wall); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("OPTIONS: %s", resp.Status)
		}
	})
}

// TestAnswersToPages: an answer names the page's origin and never *, says that it differs by
// origin also when there was none, and lets the page read the headers of the protocol.
func TestAnswersToPages(t *testing.T) {
	const wall = "https://wall.example"
	inBubble(t, Config{Origins: []string{wall}}, func(t *testing.T, h *testGateway) {
		for _, path := range []string{"/v1/dashboards", "/v1/dashboards/none", "/none"} {
			resp := h.asked("GET", path, "Origin", wall)
			if resp.Header.Get("Access-Control-Allow-Origin") != wall || resp.Header.Get("Access-Control-Expose-Headers") != "ETag, Retry-After" || !slices.Contains(resp.Header.Values("Vary"), "Origin") {
				t.Errorf("%s: %v", path, resp.Header)
			}
			resp = h.asked("GET", path)
			if resp.Header.Get("Access-Control-Allow-Origin") != "" || !slices.Contains(resp.Header.Values("Vary"), "Origin") {
				t.Errorf("%s without origin: %v", path, resp.Header)
			}
		}
	})
}

// TestSafeHeaders: every answer, errors too, tells browsers not to guess its type, not to run it
// and not to frame it. Without TLS nothing is said about TLS.
func TestSafeHeaders(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		for _, resp := range []*http.Response{
			h.asked("GET", "/v1/dashboards"), h.asked("GET", "/none"), h.asked("PATCH", "/v1/events"), h.asked("GET", "/v1/ws"),
			h.asked("GET", "/v1/dashboards", "Origin", "https://evil.example"),
		} {
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Content-Security-Policy") != apiPolicy || resp.Header.Get("Strict-Transport-Security") != "" {
				t.Errorf("%s: %v", resp.Status, resp.Header)
			}
		}
	})
}

// TestOldHandshakes: HTTP/1.0 has no upgrades.
func TestOldHandshakes(t *testing.T) {
	_, address := listening(t, Config{})
	for _, path := range []string{"/v1/ws", "/dashboard/x"} {
		conn := from(t, "127.0.0.1", address)
		head := "GET " + path + " HTTP/1.0\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		if _, err := conn.Write([]byte(head)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 64)
		n, err := conn.Read(b)
		if err != nil || !strings.Contains(string(b[:n]), " 426 ") {
			t.Errorf("%s: %q, %v", path, b[:n], err)
		}
	}
}
