package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// scopedSchema is testSchema in a dashboard with a scope.
func scopedSchema() wire.Schema {
	s := testSchema()
	for i := range s {
		s[i].Scope = map[string]string{"labels.country": "attributes.country"}
	}
	return s
}

// reader and definer return tokens with and without the permission define. Both have the attribute.
func reader(t testing.TB) string {
	return signed(t, checkout.Tenant, time.Hour, jwt.MapClaims{"attributes": map[string]any{"country": "DE"}})
}

func definer(t testing.TB) string {
	return signed(t, checkout.Tenant, time.Hour, jwt.MapClaims{"attributes": map[string]any{"country": "DE"}, "permissions": []string{"read", "define"}})
}

// A dashboard with a scope does not exist for a token without define, at every door.
func TestScopedDashboardIsRefused(t *testing.T) {
	inBubble(t, trusting(t, Config{}), func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) {
			b.schema = scopedSchema()
			b.put(v, panelRPS, "DE", 0, 1, 2)
			b.put(v, panelRPS, "FR", 0, 3, 4)
		})
		path := "/v1/dashboards/" + checkout.Dashboard
		if status, _, body := h.get(path, "Authorization", "Bearer "+reader(t)); status != http.StatusNotFound || code(t, body) != wire.CodeUnknownDashboard {
			t.Errorf("reading as a reader: %d %s", status, body)
		}
		if status, _, body := h.get(path, "Authorization", "Bearer "+definer(t)); status != http.StatusOK || !strings.Contains(body, "FR") {
			t.Errorf("reading as a definer: %d %s", status, body)
		}
		d := websocket.Dialer{NetDialContext: h.pipes.dial}
		head := http.Header{"Authorization": {"Bearer " + reader(t)}}
		if ws, r, err := d.Dial("ws://gateway/dashboard/"+checkout.Dashboard, head); err == nil || r == nil || r.StatusCode != http.StatusNotFound {
			t.Errorf("plain as a reader: %v, %v, %v", ws, r, err)
		}
		c := dialAs(t, h, reader(t))
		c.send(`{"type":"subscribe","id":1,"dashboard":"` + checkout.Dashboard + `"}`)
		if f := wantOne[*wire.ErrorFrame](c); f.Error.Code != wire.CodeUnknownDashboard {
			t.Errorf("subscribe as a reader: %+v", f)
		}
		for who, want := range map[string]bool{reader(t): false, definer(t): true} {
			if _, _, body := h.get("/v1/dashboards", "Authorization", "Bearer "+who); strings.Contains(body, checkout.Dashboard) != want {
				t.Errorf("the list has the dashboard: want %v: %s", want, body)
			}
		}
	})
}

// A scope that is added ends the subscriptions of those who may not see it, before another byte.
func TestScopeEndsSubscriptions(t *testing.T) {
	inBubble(t, trusting(t, Config{}), func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 2) })
		c := dialAs(t, h, reader(t))
		c.send(`{"type":"subscribe","id":1,"dashboard":"` + checkout.Dashboard + `"}`)
		wantOne[*wire.Subscribed](c)
		wantOne[*wire.Update](c)
		h.step(func(b *board, v uint64) {
			b.epoch++
			b.schema = scopedSchema()
			b.put(v, panelRPS, "FR", 0, 3, 4)
		})
		if f := wantOne[*wire.ErrorFrame](c); f.Error.Code != wire.CodeUnknownDashboard || f.View == "" {
			t.Errorf("after the scope was added: %+v", f)
		}
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "FR", 0, 5, 6) })
		c.silent(10 * time.Second)
	})
}

func dialAs(t *testing.T, h *testGateway, token string) *client {
	t.Helper()
	d := websocket.Dialer{NetDialContext: h.pipes.dial, Subprotocols: []string{wire.Protocol}}
	ws, _, err := d.Dial("ws://gateway/v1/ws", http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	c := &client{t, ws}
	wantOne[*wire.Connected](c)
	return c
}
