package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/gateway/token"
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

// readerAndDefiner makes the words "reader" and "definer" tokens.
func readerAndDefiner() Config {
	return Config{verify: func(_ context.Context, text string) (*token.Identity, error) {
		id := &token.Identity{
			Issuer: "i", Subject: text, Expires: time.Now().Add(time.Hour), Tenant: checkout.Tenant, Dashboards: token.Globs{"*"},
			Permissions: token.Read, Attributes: map[string][]string{"country": {"DE"}},
		}
		switch text {
		case "definer":
			id.Permissions |= token.Define
		case "reader":
		default:
			return nil, errors.New("not a token")
		}
		return id, nil
	}}
}

// A dashboard with a scope does not exist for a token without define, at every door.
func TestScopedDashboardIsRefused(t *testing.T) {
	inBubble(t, readerAndDefiner(), func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) {
			b.schema = scopedSchema()
			b.put(v, panelRPS, "DE", 0, 1, 2)
			b.put(v, panelRPS, "FR", 0, 3, 4)
		})
		path := "/v1/dashboards/" + checkout.Dashboard
		if status, _, body := h.get(path, "Authorization", "Bearer reader"); status != http.StatusNotFound || code(t, body) != wire.CodeUnknownDashboard {
			t.Errorf("reading as a reader: %d %s", status, body)
		}
		if status, _, body := h.get(path, "Authorization", "Bearer definer"); status != http.StatusOK || !strings.Contains(body, "FR") {
			t.Errorf("reading as a definer: %d %s", status, body)
		}
		d := websocket.Dialer{NetDialContext: h.pipes.dial}
		head := http.Header{"Authorization": {"Bearer reader"}}
		if ws, r, err := d.Dial("ws://gateway/dashboard/"+checkout.Dashboard, head); err == nil || r == nil || r.StatusCode != http.StatusNotFound {
			t.Errorf("plain as a reader: %v, %v, %v", ws, r, err)
		}
		c := dialAs(t, h, "reader")
		c.send(`{"type":"subscribe","id":1,"dashboard":"` + checkout.Dashboard + `"}`)
		if f := wantOne[*wire.ErrorFrame](c); f.Error.Code != wire.CodeUnknownDashboard {
			t.Errorf("subscribe as a reader: %+v", f)
		}
	})
}

// A scope that is added ends the subscriptions of those who may not see it, before another byte.
func TestScopeEndsSubscriptions(t *testing.T) {
	inBubble(t, readerAndDefiner(), func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 2) })
		c := dialAs(t, h, "reader")
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

func dialAs(t *testing.T, h *testGateway, who string) *client {
	t.Helper()
	d := websocket.Dialer{NetDialContext: h.pipes.dial, Subprotocols: []string{wire.Protocol}}
	ws, _, err := d.Dial("ws://gateway/v1/ws", http.Header{"Authorization": {"Bearer " + who}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	c := &client{t, ws}
	wantOne[*wire.Connected](c)
	return c
}
