package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// TestOrigins: from which pages a handshake is accepted, by origin, requested host, and the
// listener's address.
func TestOrigins(t *testing.T) {
	configured := []string{"https://wall.example/", "HTTPS://Dash.Example.com:443", "http://dev.example:3000", "http://[2001:DB8:0::1]", "https://xn--mnchen-3ya.example"}
	for _, c := range []struct {
		origin, host  string
		here, outside bool // accepted if the listener is on loopback, and if it is not
	}{
		{"", "gateway", true, true},
		{"https://wall.example", "gateway", true, true},
		{"https://WALL.example:443/", "gateway", true, true},
		{"http://wall.example", "gateway", false, false},
		{"https://wall.example:8443", "gateway", false, false},
		{"https://wall.example.evil", "gateway", false, false},
		{"https://dash.example.com", "gateway", true, true},
		{"http://dev.example:3000", "gateway", true, true},
		{"http://dev.example", "gateway", false, false},
		{"http://[2001:db8::1]:80", "gateway", true, true},
		{"https://xn--mnchen-3ya.example", "gateway", true, true},
		{"https://münchen.example", "gateway", false, false},
		{"null", "gateway", false, false},
		{"https://wall.example https://evil.example", "gateway", false, false},

		{"http://gateway", "gateway", true, true},
		{"http://gateway", "gateway:80", true, true},
		{"http://gateway:80", "gateway", true, true},
		{"https://gateway", "gateway:443", true, true},
		{"https://gateway", "Gateway:443", true, true},
		{"https://GATEWAY", "gateway", true, true},
		{"https://gateway.", "gateway", true, true},
		{"http://gateway:8080", "GATEWAY:8080", true, true},
		{"http://[fe80::1]:8080", "[FE80:0::1]:8080", true, true},
		{"http://192.0.2.1", "192.0.2.1:80", true, true},
		{"http://gateway", "gateway:443", false, false},
		{"https://gateway", "gateway:80", false, false},
		{"http://gateway:8080", "gateway", false, false},
		{"http://gateway", "gateway:8080", false, false},
		{"ftp://gateway", "gateway", false, false},
		{"http://gateway.evil", "gateway", false, false},
		{"http://user@gateway", "gateway", false, false},

		{"http://localhost:5173", "gateway", true, false},
		{"https://LOCALHOST", "gateway", true, false},
		{"http://127.0.0.1", "gateway", true, false},
		{"http://127.8.9.1:1", "gateway", true, false},
		{"http://[::1]:3000", "gateway", true, false},
		{"http://localhost:8080", "localhost:8080", true, true}, // the same host
		{"http://localhost.evil", "gateway", false, false},
		{"http://127.0.0.1.evil.example", "gateway", false, false},
		{"http://192.0.2.1", "127.0.0.1", false, false},
	} {
		s, err := New(Config{Feed: newLocalFeed(), Origins: configured})
		if err != nil {
			t.Fatal(err)
		}
		for _, here := range []bool{true, false} {
			s.loopback.Store(here)
			want := map[bool]bool{true: c.here, false: c.outside}[here]
			if got := c.origin == "" || s.letIn(c.origin, c.host); got != want {
				t.Errorf("origin %q asks for %q, loopback %v: let in is %v, want %v", c.origin, c.host, here, got, want)
			}
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOriginHeaders: the effect of the headers, over HTTP and for handshakes.
func TestOriginHeaders(t *testing.T) {
	inBubble(t, Config{Origins: []string{"https://wall.example"}}, func(t *testing.T, h *testGateway) {
		for _, c := range []struct {
			origins []string
			ok      bool
		}{
			{nil, true},
			{[]string{""}, true},
			{[]string{"https://wall.example"}, true},
			{[]string{"http://localhost:1"}, true}, // the test's gateway listens on loopback
			{[]string{"https://evil.example"}, false},
			{[]string{"https://wall.example", "https://wall.example"}, false},
			{[]string{"https://wall.example", "https://evil.example"}, false},
			{[]string{"", "https://evil.example"}, false},
		} {
			d := websocket.Dialer{NetDialContext: h.pipes.dial}
			ws, resp, err := d.Dial("ws://gateway/v1/ws", http.Header{"Origin": c.origins})
			if (err == nil) != c.ok || !c.ok && (resp == nil || resp.StatusCode != http.StatusForbidden) {
				t.Errorf("origins %q: %v", c.origins, err)
			}
			if err == nil {
				_ = ws.Close()
			}
		}
		_, head, _ := h.get("/v1/dashboards", "Origin", "https://wall.example")
		if head.Get("Access-Control-Allow-Origin") != "https://wall.example" || head.Get("Vary") != "Origin" {
			t.Errorf("a page is told %v", head)
		}
	})
}

// TestParseOrigins: origins that an operator may not write, and the errors.
func TestParseOrigins(t *testing.T) {
	for text, says := range map[string]string{
		"":                             "no scheme",
		"dash.example.com":             "no scheme",
		"dash.example.com:443":         "no scheme",
		"//dash.example.com":           "no scheme",
		"://dash.example.com":          "no scheme",
		"null":                         "no scheme",
		"*":                            "no wildcards",
		"https://*.example.com":        "no wildcards",
		"https://*":                    "no wildcards",
		"https://dash.example.com/app": "no path",
		"https://dash.example.com//":   "no path",
		"https://dash.example.com?x":   "no path, query",
		"https://dash.example.com#x":   "no path",
		"https://me@dash.example.com":  "no path, query or user",
		"https://":                     "names no host",
		"https://:443":                 "names no host",
		"https://dash.example.com:x":   `"x" is no port`,
		"https://dash.example.com:0":   `"0" is no port`,
		"https://a:99999":              `"99999" is no port`,
		"https://münchen.example":      "punycode",
		"https://dash example.com":     "no name of a host",
		"https://[::1":                 "no IPv6 address",
		"https://[dash]:1":             "no IPv6 address",
		"ht tp://dash.example.com":     "scheme",
		"https://a.example, https://b": "no path",
	} {
		_, err := ParseOrigins([]string{"https://good.example", text})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "good") {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
		if _, err := New(Config{Feed: newLocalFeed(), Origins: []string{text}}); err == nil {
			t.Errorf("a gateway takes origin %q", text)
		}
	}
	same, err := ParseOrigins([]string{"https://a.example", " HTTPS://A.Example:443/", "https://a.example.:0443"})
	if err != nil || len(same) != 1 {
		t.Errorf("three spellings of one origin are %d: %v", len(same), err)
	}
}
