package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
)

func limitsOf(t testing.TB, v limits.Values) *limits.Limits {
	t.Helper()
	l, err := limits.New(limits.Config{Values: v})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// postEvents posts events to a handler.
func postEvents(t testing.TB, h http.Handler, path, body string) (status int, retry, answer string) {
	t.Helper()
	text := strings.NewReader(body)
	r, err := http.NewRequestWithContext(t.Context(), "POST", path, readCloser{text})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = text.Size()
	r.RemoteAddr = "192.0.2.1:4000"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code == http.StatusTooManyRequests && r.URL.RawQuery != "" && text.Len() != len(body) {
		t.Errorf("the body of a tenant over its limit was read")
	}
	return w.Code, w.Header().Get("Retry-After"), w.Body.String()
}

func events(dashboard, tenant string, n int) string {
	return strings.Repeat(fmt.Sprintf(`{"dashboard":%q,"tenant":%q,"metric":"m","value":1}`+"\n", dashboard, tenant), n)
}

// TestEventsAreLimited: a request beyond its tenant's or dashboard's limit is refused as a whole,
// others' are not, and the answer says which limit and for how long.
func TestEventsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taking := &taking{receipts: receipts(1000)}
		l := limitsOf(t, limits.Values{limits.TenantEvents: 200, limits.DashboardEvents: 40, limits.TenantBytes: 100_000})
		h := mounted(Config{Events: newIngest(t, IngestConfig{Log: taking, Limits: l})})
		for _, c := range []struct {
			what, path, body string
			status           int
			retry, limit     string
		}{
			{"a full bucket of the dashboard", "/v1/events", events("a", "one", 40), 202, "", ""},
			{"one more for it, beside others", "/v1/events", events("b", "one", 10) + events("a", "one", 1), 429, "1", "limit dashboard-events is reached: dashboard a may have at most 40 events/s"},
			{"nothing was taken for the refused", "/v1/events", events("b", "one", 40), 202, "", ""},
			{"spread over dashboards, in turn", "/v1/events", events("c", "one", 30) + events("d", "one", 30) + events("c", "one", 10) + events("e", "one", 30), 202, "", ""},
			{"the tenant's bucket is empty", "/v1/events", events("f", "one", 30), 429, "1", "limit events is reached: tenant one may have"},
			{"refused before it is read", "/v1/events?tenant=one", strings.Repeat("x", 30), 429, "1", "limit events is reached: tenant one"},
			{"another tenant", "/v1/events?tenant=two", events("a", "two", 30), 202, "", ""},
			{"too many bytes", "/v1/events?tenant=three", events("a", "three", 1) + strings.Repeat(" ", 450_000), 202, "", ""},
			{"the debt of bytes", "/v1/events?tenant=three", events("a", "three", 1), 429, "4", "limit bytes is reached: tenant three may have at most 100000 bytes/s"},
			{"nobody else pays it", "/v1/events", events("a", "four", 1), 202, "", ""},
		} {
			if c.what == "refused before it is read" { // 20 events are left, and then none
				postEvents(t, h, "/v1/events", events("g", "one", 20))
			}
			status, retry, text := postEvents(t, h, c.path, c.body)
			if status != c.status || retry != c.retry || !strings.Contains(text, c.limit) {
				t.Errorf("%s: %d, Retry-After %q, %s; want %d, %q, %s", c.what, status, retry, text, c.status, c.retry, c.limit)
			}
			if status == 429 && (!strings.Contains(text, `"accepted":0,"refused":[],"refusedCount":0`) || !strings.Contains(text, `"code":1107`)) {
				t.Errorf("%s: %s", c.what, text)
			}
		}
		time.Sleep(time.Second)
		if status, _, text := postEvents(t, h, "/v1/events?tenant=one", events("a", "one", 40)); status != 202 {
			t.Errorf("a second later: %d %s", status, text)
		}
	})
}

// TestConnectsOfOneAddress: an address that connects too often is told so, beyond some its
// connections are closed at once, and others connect meanwhile.
func TestConnectsOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limitsOf(t, limits.Values{limits.AddressConnects: 10})
		cs := newConnTable(Connections{Max: 1000, Limits: l})
		connect := func(address string, i int) (n *connection, open bool) {
			client, server := net.Pipe()
			t.Cleanup(func() { client.Close() })
			c := at{server, fmt.Sprintf("%s:%d", address, i+1)}
			open = cs.add(c)
			return cs.open[c], open
		}
		var taken, told, closed int
		for i := range 10_000 {
			switch n, open := connect("192.0.2.1", i); {
			case !open:
				closed++
			case n.refused != nil:
				told++
			default:
				taken++
				cs.ended(n.conn)
			}
		}
		if taken != 100 || told != cs.spare() || closed != 10_000-taken-told {
			t.Errorf("%d are served, %d told, %d closed", taken, told, closed)
		}
		if n, open := connect("192.0.2.2", 1); !open || n.refused != nil {
			t.Errorf("another address: %v, %v", open, n)
		}
		for c := range cs.open {
			cs.ended(c)
		}
		time.Sleep(time.Second)
		if n, open := connect("192.0.2.1", 1); !open || n.refused != nil {
			t.Errorf("a second later: %v, %v", open, n)
		}
		if cs.refused != 0 || len(cs.open) != 1 {
			t.Errorf("%d refused, %d open", cs.refused, len(cs.open))
		}
	})
}
