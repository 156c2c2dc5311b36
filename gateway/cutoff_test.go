package gateway

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/gateway/token"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Sessions end within two seconds after their token was revoked, without any call.
func TestRevokedWhileServed(t *testing.T) {
	var revoked atomic.Pointer[string]
	cfg := Config{Revoked: func(id *token.Identity) bool { r := revoked.Load(); return r != nil && id.Tenant == *r }}
	withTokens(t, cfg, func(t *testing.T, h *testGateway, b bearers) {
		acme := h.login(b["good"])
		tenant, began := "acme", time.Now()
		revoked.Store(&tenant)
		if code := acme.closed(); code != 4501 {
			t.Errorf("closed with %d", code)
		}
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("closed after %v", d)
		}
	})
}

// A gateway that may not know what was revoked admits no token, which is not the token's fault:
// clients try elsewhere. Sessions stay until EndTokens.
func TestCutOff(t *testing.T) {
	var cut atomic.Bool
	cfg := Config{CutOff: func() error {
		if cut.Load() {
			return errors.New("it has heard no node")
		}
		return nil
	}}
	withTokens(t, cfg, func(t *testing.T, h *testGateway, b bearers) {
		c := h.login(b["good"])
		cut.Store(true)
		if status, _, body := h.get("/v1/dashboards", "Authorization", "Bearer "+b["good"]); status != 503 {
			t.Errorf("cut off: %d %s", status, body)
		}
		time.Sleep(3 * time.Second) // in the bubble
		c.send(`{"type":"ping","id":1}`)
		wantOne[*wire.Pong](c)
		h.srv.EndTokens()
		if code := c.closed(); code != 1012 {
			t.Errorf("closed with %d", code)
		}
		cut.Store(false)
		h.login(b["good"])
	})
}
