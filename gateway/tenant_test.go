package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// A tenant in the address restricts a connection: whatever its messages name, nothing of another
// tenant is served.
func TestAddressBindsConnection(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		for i, tenant := range []string{"acme", "globex", "default"} {
			h.feed.step(messages.Key{Tenant: tenant, Dashboard: "checkout"}, func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, float64(i), 1) })
		}
		subscribe := func(tenant string) string {
			return `{"type":"subscribe","id":1,"dashboard":"checkout"` + tenant + `}`
		}
		for _, c := range []struct{ query, field, served string }{
			{"?tenant=acme", ``, "acme"},
			{"?tenant=acme", `,"tenant":"acme"`, "acme"},
			{"?tenant=acme", `,"tenant":"globex"`, ""},
			{"?tenant=acme", `,"tenant":"default"`, ""},
			{"?tenant=acme", `,"Tenant":"globex"`, ""},
			{"?tenant=acme", `,"tenant":"acme","tenant":"globex"`, ""},
			{"?tenant=default", `,"tenant":"globex"`, ""},
			{"?tenant=default", ``, "default"},
			{"", `,"tenant":"globex"`, "globex"},
			{"", ``, "default"},
		} {
			cl := h.dial("/v1/ws" + c.query)
			wantOne[*wire.Connected](cl)
			cl.send(subscribe(c.field))
			switch f := cl.frame().(type) {
			case *wire.Subscribed:
				if got := max(f.Tenant, strings.Repeat("default", 1-min(1, len(f.Tenant)))); got != c.served {
					t.Errorf("%s and %s: served %q, want %q", c.query, c.field, got, c.served)
				}
			case *wire.ErrorFrame:
				if c.served != "" || f.Code != wire.CodeUnknownDashboard || f.Retry {
					t.Errorf("%s and %s: %+v, want %q served", c.query, c.field, f, c.served)
				}
				cl.send(`{"type":"ping","id":7}`)
				wantOne[*wire.Pong](cl) // the connection stays
			}
			cl.send(`{"type":"refresh","id":9,"token":"globex"}`)
		}
	})
}

// Queries that every handler refuses: misspelt, given twice, empty, or ambiguous parameters.
var badQueries = map[string]wire.Code{
	"?tenant=acme&tenant=globex":          wire.CodeBadOption,
	"?tenant=acme&%74enant=globex":        wire.CodeBadOption,
	"?tenant=":                            wire.CodeBadOption,
	"?tenant":                             wire.CodeBadOption,
	"?tenant=a%2fb":                       wire.CodeBadField,
	"?tenant=acme;tenant=globex":          wire.CodeBadMessage,
	"?tenant=acme&x=%zz":                  wire.CodeBadMessage,
	"?Tenant=acme":                        wire.CodeBadMessage,
	"?tennant=acme":                       wire.CodeBadMessage,
	"?_=1":                                wire.CodeBadMessage,
	"?tenant=" + strings.Repeat("a", 129): wire.CodeBadField,
}

func checkBadQueries(t *testing.T, path string, ask func(query string) (status int, body string)) {
	t.Helper()
	for query, want := range badQueries {
		status, body := ask(query)
		if status != http.StatusBadRequest || code(t, body) != want {
			t.Errorf("%s%s: %d %s, want 400 with %d", path, query, status, body, want)
		}
		if strings.Contains(body, "is not known") && !strings.Contains(body, path+" takes tenant") {
			t.Errorf("%s%s: %s does not name what is allowed", path, query, body)
		}
	}
}

func TestBadQueriesOfSessionsAndReadings(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		up := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
		for _, path := range []string{"/v1/ws", "/dashboard/checkout", "/v1/dashboards", "/v1/dashboards/checkout"} {
			checkBadQueries(t, path, func(query string) (int, string) {
				status, _, body := h.get(path+query, up...)
				return status, body
			})
		}
	})
}

func TestBadQueriesOfEventsAndDefinitions(t *testing.T) {
	l := openLog(t, nil)
	g := newIngest(t, IngestConfig{Log: l})
	checkBadQueries(t, "/v1/events", func(query string) (int, string) {
		w := post(g, "/v1/events"+query, "", "", strings.NewReader(`{"dashboard":"d","metric":"m","value":1}`))
		return w.Code, w.Body.String()
	})
	d := door(t, &definitionLog{})
	const path = "/v1/dashboards/checkout/definition"
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		checkBadQueries(t, path, func(query string) (int, string) {
			w := ask(d, method, path+query, "panels: []")
			return w.Code, w.Body.String()
		})
	}
	if w := ask(d, "GET", "/v1/schema/definition.json?tenant=acme", ""); w.Code != http.StatusBadRequest {
		t.Errorf("the schema takes ?tenant: %d", w.Code)
	}
	if got := stored(t, l); got != "" {
		t.Errorf("refused requests stored %s", got)
	}
}
