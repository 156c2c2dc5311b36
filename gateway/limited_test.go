package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// TestSessionsAreLimited: sessions are bounded by subject, tenant and process, each by its name,
// and what ends gives back its place.
func TestSessionsAreLimited(t *testing.T) {
	for name, c := range map[string]struct {
		limit limits.Limit
		path  string
	}{
		"subject": {limits.SubjectConnections, "/v1/ws"},
		"tenant":  {limits.TenantSessions, "/v1/ws?tenant=acme"},
		"process": {limits.ProcessSessions, "/dashboard/checkout"},
		"viewers": {limits.DashboardViewers, "/dashboard/checkout"},
		"memory":  {limits.ProcessMemory, "/v1/ws"},
	} {
		t.Run(name, func(t *testing.T) {
			value := 2.0
			inBubble(t, Config{Limits: limitsOf(t, limits.Values{c.limit: value})}, func(t *testing.T, h *testGateway) {
				if c.limit != limits.ProcessMemory { // which is full from the beginning
					first, second := h.dial(c.path), h.dial(c.path)
					defer second.ws.Close()
					refusedDial(t, h, c.path, c.limit)
					_ = first.ws.Close()
					synctest.Wait()
					third := h.dial(c.path)
					defer third.ws.Close()
				}
				refusedDial(t, h, c.path, c.limit)
			})
		})
	}
}

func refusedDial(t *testing.T, h *testGateway, path string, limit limits.Limit) {
	t.Helper()
	up := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	status, head, body := h.do("GET", path, up...)
	if status != http.StatusTooManyRequests || head.Get("Retry-After") == "" || !strings.Contains(body, "limit "+limit.String()+" is reached") {
		t.Errorf("one more: %d %s, want 429 and %s", status, body, limit)
	}
}

// TestSubscriptionsAreLimited: subscriptions are bounded over all sessions of a subject, and of a
// dashboard. A refused one leaves nothing, the same view again takes no further place, and what
// ends gives back its place.
func TestSubscriptionsAreLimited(t *testing.T) {
	for _, c := range []struct {
		limit limits.Limit
		text  string
	}{
		{limits.SubjectSubscriptions, `{"type":"subscribe","dashboard":"d%d"}`},
		{limits.DashboardViewers, `{"type":"subscribe","dashboard":"checkout","panels":["rps"],"groups":[["g%d"]]}`},
	} {
		inBubble(t, Config{Limits: limitsOf(t, limits.Values{c.limit: 3})}, func(t *testing.T, h *testGateway) {
			h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
			one, two := h.connect(), h.connect()
			var view string
			subscribed := func(c *client, text string) {
				t.Helper()
				c.send(text)
				view = wantOne[*wire.Subscribed](c).View
				wantOne[*wire.Update](c)
			}
			for i := range 3 {
				subscribed(one, fmt.Sprintf(c.text, i))
			}
			mirrors := h.srv.mirrors.len()
			two.send(fmt.Sprintf(c.text, 3))
			if e := wantOne[*wire.ErrorFrame](two); e.Code != wire.CodeLimit || !strings.Contains(e.Message, "limit "+c.limit.String()) {
				t.Errorf("%+v", e)
			}
			if n := h.srv.mirrors.len(); n != mirrors {
				t.Errorf("%s: a refused subscription makes a copy", c.limit)
			}
			subscribed(one, fmt.Sprintf(c.text, 2))
			one.send(`{"type":"unsubscribe","view":"` + view + `"}`)
			wantOne[*wire.Unsubscribed](one)
			subscribed(two, fmt.Sprintf(c.text, 3))
			_ = one.ws.Close()
			_ = two.ws.Close()
			synctest.Wait()
			if n := h.srv.cfg.Limits.Held(); n != 0 {
				t.Errorf("%s: after all sessions %d are held", c.limit, n)
			}
		})
	}
}

// TestMessagesAreLimited: a message beyond the limit is answered with the error and its id, and
// does nothing. A client that goes on is closed.
func TestMessagesAreLimited(t *testing.T) {
	inBubble(t, Config{Limits: limitsOf(t, limits.Values{limits.SubjectMessages: 5})}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		for i := range 20 {
			c.send(fmt.Sprintf(`{"type":"ping","id":%d}`, i))
			wantOne[*wire.Pong](c)
		}
		c.send(`{"type":"subscribe","id":77,"dashboard":"checkout"}`)
		if e := wantOne[*wire.ErrorFrame](c); e.Code != wire.CodeLimit || told(e.ID) != 77 || e.After < 100 || e.After > 201 || !strings.Contains(e.Message, "subject-messages") {
			t.Errorf("%+v", e)
		}
		for _, path := range []string{"/v1/dashboards", "/v1/dashboards/checkout"} {
			if status, _, body := h.get(path); status != http.StatusTooManyRequests || !strings.Contains(body, "limit subject-messages is reached") {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		time.Sleep(time.Second)
		for i := range 5 {
			c.send(fmt.Sprintf(`{"type":"ping","id":%d}`, i))
			wantOne[*wire.Pong](c)
		}
		for range maxOver - 1 {
			c.send(`{"type":"ping","id":1}`)
			wantOne[*wire.ErrorFrame](c)
		}
		c.send(`{"type":"ping","id":1}`)
		if got := c.closed(); got != int(wire.CloseAbuse) {
			t.Errorf("closed with %d", got)
		}
	})
}

// TestBytesAreLimited: a client that is sent too much gets fewer updates at the rate of its limit,
// the last of them up to date. Answers do not wait, and readings are refused.
func TestBytesAreLimited(t *testing.T) {
	const perSecond, seconds = 1000, 20
	inBubble(t, Config{Limits: limitsOf(t, limits.Values{limits.SubjectBytes: perSecond})}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
		wantOne[*wire.Subscribed](c)
		began := time.Now()
		go func() {
			for range seconds * 100 {
				h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, float64(v), 1) })
				time.Sleep(10 * time.Millisecond)
			}
		}()
		bytes, updates := 0, 0
		for {
			text := c.text()
			bytes += len(text)
			f, err := wire.ParseFrame([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			u, ok := f.(*wire.Update)
			if !ok {
				t.Fatalf("%s", text)
			}
			if updates++; updates == 100 {
				at := time.Now()
				c.send(`{"type":"ping","id":5}`)
				if wantOne[*wire.Pong](c); time.Since(at) > 0 {
					t.Errorf("the answer to a ping took %v", time.Since(at))
				}
				if status, _, body := h.get("/v1/dashboards/checkout"); status != 429 || !strings.Contains(body, "limit subject-bytes is reached") {
					t.Errorf("a reading: %d %s", status, body)
				}
			}
			if u.To == 1+seconds*100 {
				break
			}
		}
		took := time.Since(began).Seconds()
		if most := perSecond * (took + 2 + 1); float64(bytes) > most || float64(bytes) < 0.7*most || took > seconds+2 {
			t.Errorf("%d bytes in %d updates in %.1f s", bytes, updates, took)
		}
		if n := h.srv.cfg.Limits.Held(); n == 0 {
			t.Error("nothing is held while the session is open")
		}
	})
}

// TestViewBytesOfASubject: views of all sessions of a subject count together, and so do readings
// while they wait.
func TestViewBytesOfASubject(t *testing.T) {
	w, err := wantOf([]string{"rps"}, tuples(t, groupsOf(10, 100)))
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, Config{Limits: limitsOf(t, limits.Values{limits.SubjectViewBytes: float64(2 * w.cost())})}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		one, two := h.connect(), h.connect()
		for seed, c := range []*client{one, two} {
			c.send(subscribeTo(10+seed, 100))
			wantOne[*wire.Subscribed](c)
			wantOne[*wire.Update](c)
		}
		two.send(subscribeTo(12, 100))
		if e := wantOne[*wire.ErrorFrame](two); e.Code != wire.CodeLimit || !strings.Contains(e.Message, "limit subject-view-bytes is reached") {
			t.Errorf("%+v", e)
		}
		reading := "/v1/dashboards/checkout?panels=rps&groups=" + url.QueryEscape(`[["DE"]]`)
		if status, _, body := h.get(reading); status != http.StatusTooManyRequests || !strings.Contains(body, "subject-view-bytes") {
			t.Errorf("a reading: %d %s", status, body)
		}
		_ = one.ws.Close()
		synctest.Wait()
		if status, _, body := h.get(reading); status != http.StatusOK {
			t.Errorf("a reading after a session has ended: %d %s", status, body)
		}
		held := h.srv.cfg.Limits.Held()
		two.send(subscribeTo(12, 100))
		wantOne[*wire.Subscribed](two)
		if n := h.srv.cfg.Limits.Held(); n != held {
			t.Errorf("%d caps are held, %d before one more view", n, held)
		}
	})
}

// TestDefinitionsAreLimited: a tenant's changes are bounded in time, and others' are not refused.
func TestDefinitionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newDefinitionLog()
		d, err := NewDefinitions(DefinitionsConfig{Feed: l, Log: l, Limits: limitsOf(t, limits.Values{limits.TenantDefinitions: 0.1})})
		if err != nil {
			t.Fatal(err)
		}
		h := mounted(Config{Definitions: d})
		if w := ask(h, "PUT", definitionPath, rps); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, method := range []string{"PUT", "DELETE"} {
			if w := ask(h, method, definitionPath, rps); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "10" || !strings.Contains(w.Body.String(), "limit definitions is reached: tenant acme") {
				t.Errorf("%s: %d %s", method, w.Code, w.Body)
			}
		}
		if w := ask(h, "GET", definitionPath, ""); w.Code != http.StatusOK {
			t.Errorf("GET: %d %s", w.Code, w.Body)
		}
		time.Sleep(10 * time.Second)
		if w := ask(h, "PUT", definitionPath, rps); w.Code != http.StatusOK {
			t.Errorf("ten seconds later: %d %s", w.Code, w.Body)
		}
	})
}
