package gateway

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// groupsOf returns the JSON of n groups that no other seed has.
func groupsOf(seed, n int) string {
	groups := make([][]string, n)
	for i := range groups {
		groups[i] = []string{fmt.Sprintf("g%d-%d", seed, i)}
	}
	b, _ := json.Marshal(groups)
	return string(b)
}

func subscribeTo(seed, groups int) string {
	return fmt.Sprintf(`{"type":"subscribe","id":%d,"dashboard":"checkout","panels":["rps"],"groups":%s}`, seed+1, groupsOf(seed, groups))
}

// TestBoundsOfAView: how many panels and groups one view may name, and how long they may be, over
// WebSocket and HTTP.
func TestBoundsOfAView(t *testing.T) {
	long := fmt.Sprintf(`[[%q],[%q]]`, strings.Repeat("x", 16<<10), strings.Repeat("y", 16<<10))
	fits := fmt.Sprintf(`[[%q],[null]]`, strings.Repeat("x", 32<<10-3))
	inBubble(t, Config{Sessions: Sessions{FrameBytes: 1 << 20}}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		for _, x := range []struct{ fields, says string }{
			{`"groups":` + groupsOf(1, 1000), ""},
			{`"groups":` + groupsOf(1, 1001), "groups names 1001, at most 1000 are allowed"},
			{`"groups":` + fits, ""},
			{`"groups":` + long, "groups has 32770 bytes of keys, at most 32768 are allowed"},
			{`"panels":["rps"` + strings.Repeat(`,"rps"`, 999) + `]`, ""},
			{`"panels":["rps"` + strings.Repeat(`,"rps"`, 1000) + `]`, "panels names 1001, at most 1000 are allowed"},
		} {
			c.send(`{"type":"subscribe","id":1,"dashboard":"checkout",` + x.fields + `}`)
			if x.says != "" {
				if e := wantOne[*wire.ErrorFrame](c); e.Code != wire.CodeLimit || e.Message != x.says {
					t.Errorf("%.60s: %+v, want %q", x.fields, e, x.says)
				}
				continue
			}
			wantOne[*wire.Subscribed](c)
			wantOne[*wire.Update](c)
		}
		for groups, says := range map[string]string{groupsOf(1, 1000): "", groupsOf(1, 1001): "groups names 1001, at most 1000 are allowed"} {
			status, _, body := h.get("/v1/dashboards/checkout?groups=" + url.QueryEscape(groups))
			if says == "" && status != 200 || says != "" && (status != 429 || !strings.Contains(body, says)) {
				t.Errorf("a reading of %d bytes of groups: %d %.200s", len(groups), status, body)
			}
		}
		if held := h.srv.mirrors.budget.held.Load(); held == 0 {
			t.Error("views cost nothing")
		}
	})
}

// TestBudgetOfViews: all views together have a budget, and so has each session. What ends gives
// back its part.
func TestBudgetOfViews(t *testing.T) {
	w, err := wantOf([]string{"rps"}, tuples(t, groupsOf(10, 100)))
	if err != nil {
		t.Fatal(err)
	}
	cost := w.cost()
	cfg := Config{Limits: limitsOf(t, limits.Values{limits.ProcessViewBytes: float64(5 * cost), limits.SessionViewBytes: float64(3 * cost)})}
	inBubble(t, cfg, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		views := map[int]string{}
		take := func(c *client, seed int) {
			t.Helper()
			c.send(subscribeTo(seed, 100))
			views[seed] = wantOne[*wire.Subscribed](c).View
			wantOne[*wire.Update](c)
		}
		refused := func(c *client, seed int, says string) {
			t.Helper()
			c.send(subscribeTo(seed, 100))
			if e := wantOne[*wire.ErrorFrame](c); e.Code != wire.CodeLimit || !strings.Contains(e.Message, says) {
				t.Errorf("%+v, want %q", e, says)
			}
		}
		held := func(n int64) {
			t.Helper()
			if got := h.srv.mirrors.budget.held.Load(); got != n*cost {
				t.Errorf("%d bytes are held, want %d views of %d", got, n, cost)
			}
		}
		one, two, three := h.connect(), h.connect(), h.connect()
		for seed := 10; seed < 13; seed++ {
			take(one, seed)
		}
		refused(one, 13, "limit session-view-bytes is reached")
		take(one, 12) // the same view again replaces it
		take(two, 10) // a view that exists already costs its session only
		held(3)
		take(two, 13)
		take(two, 14)
		held(5)
		refused(three, 15, "limit process-view-bytes is reached")
		// a whole dashboard is always available
		three.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
		wantOne[*wire.Subscribed](three)
		wantOne[*wire.Update](three)
		if status, _, body := h.get("/v1/dashboards/checkout?groups=" + url.QueryEscape(groupsOf(15, 100))); status != 429 {
			t.Errorf("a reading beside a full budget: %d %s", status, body)
		}
		// with another rate, both views exist for a moment
		one.send(`{"type":"set","id":1,"view":"` + views[11] + `","maxRate":1}`)
		if e := wantOne[*wire.ErrorFrame](one); e.Code != wire.CodeLimit {
			t.Errorf("%+v", e)
		}
		two.send(`{"type":"unsubscribe","id":1,"view":"` + views[14] + `"}`)
		wantOne[*wire.Unsubscribed](two)
		held(4)
		one.send(`{"type":"set","id":1,"view":"` + views[11] + `","maxRate":1}`)
		wantOne[*wire.Subscribed](one)
		held(4)
		take(three, 15)
		held(5)
		for _, c := range []*client{one, two, three} {
			_ = c.ws.Close()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		held(0)
		if status, _, body := h.get("/v1/dashboards/checkout?groups=" + url.QueryEscape(groupsOf(15, 100))); status != 200 {
			t.Errorf("a reading after all: %d %s", status, body)
		}
		held(0)
	})
}

func tuples(t *testing.T, groups string) (list []wire.Tuple) {
	t.Helper()
	if err := json.Unmarshal([]byte(groups), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestViewsCostWhatTheyTake: the cost counted for a view is at least the growth of the heap.
func TestViewsCostWhatTheyTake(t *testing.T) {
	h := newLocalFeed()
	h.step(checkout, func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
	s, err := New(Config{Feed: h, Limits: limitsOf(t, limits.Values{limits.ProcessViewBytes: limits.None})})
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.mirrors.acquire(t.Context(), checkout)
	if err != nil {
		t.Fatal(err)
	}
	for _, groups := range []int{1, 40, 400, 1000} {
		const views = 200
		before, counted := inUse(), s.mirrors.budget.held.Load()
		for i := range views {
			w, err := wantOf([]string{"rps"}, tuples(t, groupsOf(i*10_000+groups, groups)))
			if err != nil {
				t.Fatal(err)
			}
			m.mu.Lock()
			_, err = m.join(cohortKey{w.key(), 0, protocol{}}, w)
			m.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
		}
		grown, counted := int64(inUse()-before)/views, (s.mirrors.budget.held.Load()-counted)/views
		t.Logf("%d groups: %d bytes are counted, the heap grows by %d", groups, counted, grown)
		if grown > counted {
			t.Errorf("%d groups: %d bytes are counted, the heap grows by %d", groups, counted, grown)
		}
	}
	s.mirrors.release(m)
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}
