package gateway

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/gateway/token"
	"github.com/dashfeed/dashfeed/gateway/token/tokentest"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
)

// bearers are the texts of tokens by the names that tests give them.
type bearers map[string]string

// trusting returns cfg with a verifier of the tokens that signed makes.
func trusting(t testing.TB, cfg Config) Config {
	t.Helper()
	cfg.Tokens = tokentest.Verifier(t)
	return cfg
}

// signed returns a token of a tenant, with a life from now on and more claims.
func signed(t testing.TB, tenant string, life time.Duration, more jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"tenant": tenant}
	maps.Copy(claims, more)
	return tokentest.Sign(t, life, claims)
}

// withTokens runs a test with dashboards acme/sales-1, acme/hidden and globex/sales-1, and the
// tokens good (reads sales-*), wide (reads everything), other (of globex), soon (expires in 40 s),
// publisher and admin.
func withTokens(t *testing.T, cfg Config, test func(t *testing.T, h *testGateway, b bearers)) {
	synctest.Test(t, func(t *testing.T) {
		sales := []string{"sales-*"}
		b := bearers{
			"good":      signed(t, "acme", time.Hour, jwt.MapClaims{"dashboards": sales}),
			"wide":      signed(t, "acme", time.Hour, nil),
			"other":     signed(t, "globex", time.Hour, nil),
			"soon":      signed(t, "acme", 40*time.Second, nil),
			"publisher": signed(t, "acme", time.Hour, jwt.MapClaims{"dashboards": sales, "permissions": []string{"publish"}}),
			"admin":     signed(t, "acme", time.Hour, jwt.MapClaims{"permissions": []string{"read", "admin"}}),
		}
		h := newHouse(t, trusting(t, cfg))
		defer h.shutdown()
		for _, k := range []messages.Key{{Tenant: "acme", Dashboard: "sales-1"}, {Tenant: "acme", Dashboard: "hidden"}, {Tenant: "globex", Dashboard: "sales-1"}} {
			h.feed.step(k, func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		}
		test(t, h, b)
	})
}

// dialWith opens a WebSocket with headers and subprotocols.
func (h *testGateway) dialWith(path string, header http.Header, protocols ...string) (*client, *http.Response, error) {
	d := websocket.Dialer{NetDialContext: h.pipes.dial, Subprotocols: protocols}
	ws, res, err := d.Dial("ws://gateway"+path, header)
	if err != nil {
		return nil, res, err
	}
	h.t.Cleanup(func() { _ = ws.Close() })
	return &client{h.t, ws}, res, nil
}

func (h *testGateway) login(text string) *client {
	h.t.Helper()
	c := h.dial("/v1/ws")
	c.send(`{"type":"connect","token":"` + text + `"}`)
	wantOne[*wire.Connected](c)
	return c
}

// The first place of a request that has a token counts, also if that token is bad.
func TestPlacesOfTokens(t *testing.T) {
	const auth, protocol, cookie = "Authorization", "Sec-WebSocket-Protocol", "Cookie"
	withTokens(t, Config{}, func(t *testing.T, h *testGateway, b bearers) {
		for _, c := range []struct {
			header []string
			want   int
		}{
			{nil, 401},
			{[]string{auth, "Bearer " + b["good"]}, 200},
			{[]string{auth, "bearer " + b["good"]}, 200},
			{[]string{auth, "Basic Z29vZA=="}, 401},
			{[]string{auth, "Bearer "}, 401},
			{[]string{protocol, wire.Protocol + ", dashfeed.bearer." + b["good"]}, 200},
			{[]string{cookie, "dashfeed_session=" + b["good"]}, 200},
			{[]string{cookie, "dashfeed_session=" + b["good"] + "; dashfeed_session=" + b["wide"]}, 401},
			{[]string{auth, "Bearer bad", protocol, "dashfeed.bearer." + b["good"], cookie, "dashfeed_session=" + b["good"]}, 401},
			{[]string{auth, "Bearer " + b["good"], protocol, "dashfeed.bearer.bad", cookie, "dashfeed_session=bad"}, 200},
			{[]string{protocol, "dashfeed.bearer.bad", cookie, "dashfeed_session=" + b["good"]}, 401},
			{[]string{protocol, "dashfeed.bearer." + b["good"], cookie, "dashfeed_session=bad"}, 200},
		} {
			status, head, body := h.get("/v1/dashboards/sales-1", c.header...)
			if status != c.want {
				t.Errorf("%v: %d %s, want %d", c.header, status, body, c.want)
			}
			if status == 401 && (code(t, body) != wire.CodeUnauthorized || head.Get("WWW-Authenticate") == "") {
				t.Errorf("%v: %s %v, want code 1101 and WWW-Authenticate", c.header, body, head)
			}
		}
		for _, path := range []string{"/v1/dashboards?token=good", "/v1/dashboards/sales-1?access_token=good", "/v1/ws?token=good"} {
			status, _, body := h.get(path, auth, "Bearer "+b["good"])
			if status != 401 || !strings.Contains(body, "logs") || strings.Contains(body, "good") {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
	})
}

// Every route that serves data answers 401 without a token, and none opens by accident.
func TestEveryRouteNeedsToken(t *testing.T) {
	withTokens(t, Config{}, func(t *testing.T, h *testGateway, b bearers) {
		free := map[string]bool{"GET /v1/ws": true, "DELETE /v1/session": true}
		for _, r := range h.srv.routes() {
			if (r.access != needsToken) != free[r.method+" "+r.path] {
				t.Errorf("%s %s: access %d", r.method, r.path, r.access)
			}
			if r.handler == nil || r.access != needsToken {
				continue
			}
			status, _, body := h.do(r.method, strings.ReplaceAll(r.path, "{id}", "sales-1"))
			if status != 401 || code(t, body) != wire.CodeUnauthorized {
				t.Errorf("%s %s: %d %s, want 401", r.method, r.path, status, body)
			}
		}
		if _, res, err := h.dialWith("/dashboard/sales-1", nil); err == nil || res.StatusCode != 401 {
			t.Errorf("plain without token: %v", err)
		}
	})
}

// A handshake without token succeeds. Nothing but connect is taken, and only for five seconds.
func TestConnectMessage(t *testing.T) {
	withTokens(t, Config{}, func(t *testing.T, h *testGateway, b bearers) {
		c := h.dial("/v1/ws")
		for _, m := range []string{`{"type":"subscribe","id":1,"dashboard":"sales-1"}`, `{"type":"ping","id":2}`, `{"type":"refresh","id":3,"token":"` + b["good"] + `"}`} {
			c.send(m)
			if f := wantOne[*wire.ErrorFrame](c); f.Code != wire.CodeUnauthorized {
				t.Errorf("%s before connect: %+v", m, f)
			}
		}
		c.send(`{"type":"connect","token":"` + b["good"] + `"}`)
		if f := wantOne[*wire.Connected](c); f.Expires < 3590 {
			t.Errorf("connected %+v", f)
		}
		c.send(`{"type":"subscribe","id":1,"dashboard":"sales-1"}`)
		if f := wantOne[*wire.Subscribed](c); f.Tenant != "acme" {
			t.Errorf("subscribed %+v", f)
		}
		bad := h.dial("/v1/ws")
		bad.send(`{"type":"connect","token":"bad"}`)
		wantOne[*wire.ErrorFrame](bad)
		if code := bad.closed(); code != 4501 {
			t.Errorf("closed with %d", code)
		}
		mute, began := h.dial("/v1/ws"), time.Now()
		if code := mute.closed(); code != 4501 || time.Since(began) > 7*time.Second {
			t.Errorf("closed with %d after %v", code, time.Since(began))
		}
		p, res, err := h.dialWith("/v1/ws", nil, wire.Protocol, "dashfeed.bearer."+b["good"])
		if err != nil || res.Header.Get("Sec-WebSocket-Protocol") != wire.Protocol {
			t.Fatalf("%v, %v", err, res)
		}
		wantOne[*wire.Connected](p)
		plain, res, err := h.dialWith("/dashboard/sales-1", nil, "dashfeed.plain", "dashfeed.bearer."+b["good"])
		if err != nil || res.Header.Get("Sec-WebSocket-Protocol") != "dashfeed.plain" || !strings.Contains(plain.text(), "initial-state") {
			t.Fatalf("plain: %v, %v", err, res)
		}
	})
}

// What a token may not see and what does not exist give the same answer, byte for byte.
func TestUnseenIsUnknown(t *testing.T) {
	withTokens(t, Config{}, func(t *testing.T, h *testGateway, b bearers) {
		auth := []string{"Authorization", "Bearer " + b["good"]}
		var first string
		for _, path := range []string{"hidden", "absent", "sales-none", "sales-1?tenant=globex", "sales-1?tenant=none"} {
			status, head, body := h.get("/v1/dashboards/"+path, auth...)
			head.Del("Date")
			body += head.Get("ETag") + head.Get("Content-Type")
			if first == "" {
				first = body
			}
			if status != 404 || body != first {
				t.Errorf("GET %s: %d %s, want 404 %s", path, status, body, first)
			}
			_, res, err := h.dialWith("/dashboard/"+path, http.Header{"Authorization": {"Bearer " + b["good"]}})
			if err == nil || res.StatusCode != 404 {
				t.Errorf("plain %s: %v", path, err)
			}
		}
		c := h.login(b["good"])
		first = ""
		for _, m := range []string{`"hidden"`, `"absent"`, `"sales-none"`, `"sales-1","tenant":"globex"`, `"sales-1","tenant":"none"`, `"hidden","panels":["nope"]`} {
			c.send(`{"type":"subscribe","id":1,"dashboard":` + m + `}`)
			got := c.text()
			if first == "" {
				first = got
			}
			if got != first || !strings.Contains(got, `"code":1104`) {
				t.Errorf("subscribe %s: %s, want %s", m, got, first)
			}
		}
		_, _, body := h.get("/v1/dashboards?limit=1", auth...)
		if !strings.Contains(body, `"sales-1"`) || strings.Contains(body, "hidden") {
			t.Errorf("list: %s", body)
		}
		if status, _, body := h.get("/v1/dashboards?tenant=globex", auth...); status != 404 {
			t.Errorf("list of another tenant: %d %s", status, body)
		}
		if status, _, body := h.get("/v1/dashboards/sales-1", "Authorization", "Bearer "+b["publisher"]); status != 403 {
			t.Errorf("a token without read: %d %s", status, body)
		}
		if status, _, body := h.get("/v1/dashboards/x?tenant=_system", auth...); status != 404 {
			t.Errorf("system's tenant: %d %s", status, body)
		}
	})
}

// refresh replaces the token without a gap, and ends what the new one does not allow.
func TestRefresh(t *testing.T) {
	withTokens(t, Config{}, func(t *testing.T, h *testGateway, b bearers) {
		c := h.login(b["wide"])
		for _, d := range []string{"hidden", "sales-1"} {
			c.send(`{"type":"subscribe","id":1,"dashboard":"` + d + `"}`)
			wantOne[*wire.Subscribed](c)
			wantOne[*wire.Update](c)
		}
		c.send(`{"type":"refresh","id":2,"token":"bad"}`)
		if f := wantOne[*wire.ErrorFrame](c); f.Code != wire.CodeUnauthorized {
			t.Fatalf("%+v", f)
		}
		c.send(`{"type":"refresh","id":3,"token":"` + b["good"] + `"}`)
		if f := wantOne[*wire.Refreshed](c); len(f.Revoked) != 1 || f.Expires < 3590 {
			t.Fatalf("refreshed %+v", f)
		}
		step := func(name string) {
			h.feed.step(messages.Key{Tenant: "acme", Dashboard: name}, func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 2, 2) })
		}
		step("hidden")
		step("sales-1")
		if u := wantOne[*wire.Update](c); u.From != 1 || u.To != 2 {
			t.Errorf("update %+v", u)
		}
		c.silent(3 * time.Second)
	})
}

// A session is told 30 s before its token expires, and closed when it does, unless it refreshes.
func TestTokenExpires(t *testing.T) {
	withTokens(t, Config{}, func(t *testing.T, h *testGateway, b bearers) {
		began := time.Now()
		c, renewed := h.login(b["soon"]), h.login(b["soon"])
		const want = `{"type":"status","state":"expiring","after":`
		for _, c := range []*client{c, renewed} {
			if got := c.text(); !strings.HasPrefix(got, want) {
				t.Errorf("%s, want %s…", got, want)
			}
		}
		if d := time.Since(began); d < 10*time.Second || d > 12*time.Second {
			t.Errorf("told after %v, want 10 s", d)
		}
		renewed.send(`{"type":"refresh","id":3,"token":"` + b["wide"] + `"}`)
		wantOne[*wire.Refreshed](renewed)
		plain, _, err := h.dialWith("/dashboard/sales-1", http.Header{"Authorization": {"Bearer " + b["soon"]}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{c, plain} {
			if code := c.closed(); code != 4501 {
				t.Errorf("closed with %d", code)
			}
		}
		if d := time.Since(began); d < 40*time.Second || d > 42*time.Second {
			t.Errorf("closed after %v, want 40 s", d)
		}
		renewed.send(`{"type":"ping","id":1}`)
		wantOne[*wire.Pong](renewed)
	})
}

// A revoked token opens nothing, and the sessions that it opened are closed.
func TestRevoked(t *testing.T) {
	revoked := ""
	cfg := Config{Revoked: func(id *token.Identity) bool { return id.Tenant == revoked }}
	withTokens(t, cfg, func(t *testing.T, h *testGateway, b bearers) {
		acme, globex := h.login(b["good"]), h.login(b["other"])
		revoked = "acme"
		if code := acme.closed(); code != 4501 {
			t.Errorf("closed with %d", code)
		}
		globex.send(`{"type":"ping","id":1}`)
		wantOne[*wire.Pong](globex)
		if status, _, body := h.get("/v1/dashboards", "Authorization", "Bearer "+b["good"]); status != 401 {
			t.Errorf("%d %s", status, body)
		}
	})
}

// A page signs in with its own origin only, and the cookie serves everything after.
func TestSessionCookie(t *testing.T) {
	withTokens(t, Config{}, func(t *testing.T, h *testGateway, b bearers) {
		auth := []string{"Authorization", "Bearer " + b["good"]}
		for origin, want := range map[string]int{"": 403, "http://evil.example": 403, "http://gateway": 200} {
			status, head, body := h.do("POST", "/v1/session", append(auth, "Origin", origin)...)
			if status != want {
				t.Errorf("origin %q: %d %s, want %d", origin, status, body, want)
			}
			set := head.Get("Set-Cookie")
			if (want == 200) != (set != "") || want == 200 && (!strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Lax") || strings.Contains(set, "Secure")) {
				t.Errorf("origin %q: cookie %q", origin, set)
			}
		}
		if status, _, body := h.get("/v1/dashboards", "Cookie", "dashfeed_session="+b["good"], "Origin", "http://evil.example"); status != 403 {
			t.Errorf("a cookie from a foreign origin: %d %s", status, body)
		}
		status, head, _ := h.do("DELETE", "/v1/session", "Cookie", "dashfeed_session=bad")
		if status != 204 || !strings.Contains(head.Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("sign out: %d %v", status, head)
		}
	})
}

// A ticket opens one connection, within 30 seconds, and there are at most maxTickets of them.
func TestTickets(t *testing.T) {
	withTokens(t, Config{}, func(t *testing.T, h *testGateway, b bearers) {
		issue := func() string {
			var a struct{ Ticket string }
			_, _, body := h.do("POST", "/v1/tickets", "Authorization", "Bearer "+b["good"])
			if err := json.Unmarshal([]byte(body), &a); err != nil || a.Ticket == "" {
				t.Fatalf("%s: %v", body, err)
			}
			return a.Ticket
		}
		one, late := issue(), issue()
		c, _, err := h.dialWith("/v1/ws?ticket="+one, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantOne[*wire.Connected](c)
		time.Sleep(ticketTime) // virtual
		for _, text := range []string{one, late, "none"} {
			if _, res, err := h.dialWith("/v1/ws?ticket="+text, nil); err == nil || res.StatusCode != 401 {
				t.Errorf("ticket %s: %v", text, err)
			}
		}
		ts := newTickets()
		for range maxTickets {
			if _, err := ts.issue(&token.Identity{}, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ts.issue(&token.Identity{}, time.Now()); err == nil {
			t.Error("there is no bound of tickets")
		}
		if ts.sweep(time.Now().Add(ticketTime)); len(ts.open) != 0 {
			t.Errorf("%d tickets stay after they expired", len(ts.open))
		}
	})
}

// While the issuer's keys can't be fetched a token may be good: clients are told to come back.
func TestKeysAreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, err := token.NewVerifier(token.Config{
			Keys:   []token.Key{{Issuer: "https://issuer.test", Audience: []string{"dashfeed"}, Algorithms: []string{"ES256"}, JWKS: "http://127.0.0.1:1/keys"}},
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		h := newHouse(t, Config{Tokens: v})
		defer h.shutdown()
		text := signed(t, "acme", time.Hour, nil)
		status, head, body := h.get("/v1/dashboards", "Authorization", "Bearer "+text)
		if status != http.StatusServiceUnavailable || head.Get("Retry-After") == "" {
			t.Errorf("a request: %d %s, want 503 with Retry-After", status, body)
		}
	})
}

// The system's own tenants are read with admin only.
func TestSystemTenants(t *testing.T) {
	withTokens(t, Config{}, func(t *testing.T, h *testGateway, b bearers) {
		h.feed.step(messages.Key{Tenant: "_system", Dashboard: "usage-acme"}, func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		for who, want := range map[string]int{"admin": 200, "wide": 404} {
			if status, _, body := h.get("/v1/dashboards/usage-acme?tenant=_system", "Authorization", "Bearer "+b[who]); status != want {
				t.Errorf("%s reads it: %d %s, want %d", who, status, body, want)
			}
		}
	})
}
