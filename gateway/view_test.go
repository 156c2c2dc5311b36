package gateway

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// A definition that drops a watched panel ends the view with the error that a subscribe gets from
// then on. Nothing else of the connection ends.
func TestDroppedPanel(t *testing.T) {
	inBubble(t, Config{Limits: limitsOf(t, limits.Values{limits.SessionSubscriptions: 3})}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1); b.put(v, panelVisits, "", 0, 1) })
		c := h.connect()
		views := map[string]string{}
		for _, panels := range []string{`["visits"]`, `["rps"]`, `["visits","rps"]`} {
			c.send(`{"type":"subscribe","id":1,"dashboard":"checkout","panels":` + panels + `}`)
			views[wantOne[*wire.Subscribed](c).View] = panels
			wantOne[*wire.Update](c)
		}
		h.step(func(b *board, v uint64) { b.shatter(); b.schema = b.schema[:1] })
		var refused []string
		message := ""
		for range 4 {
			switch f := c.frame().(type) {
			case *wire.ErrorFrame:
				if f.ID != nil || f.Code != wire.CodeBadField || f.Retry {
					t.Errorf("%+v", f)
				}
				refused, message = append(refused, views[f.View]), f.Message
			case *wire.Gap:
				if views[f.View] != `["rps"]` || f.Why != wire.WhyEpoch {
					t.Errorf("%+v", f)
				}
			case *wire.Update:
				if views[f.View.String()] != `["rps"]` || f.From != 0 {
					t.Errorf("%+v", f)
				}
			}
		}
		if len(refused) != 2 || strings.Contains(strings.Join(refused, ""), `["rps"]`) {
			t.Errorf("refused: %v", refused)
		}
		synctest.Wait()
		for _, again := range []*client{c, h.connect()} {
			again.send(`{"type":"subscribe","id":2,"dashboard":"checkout","panels":["visits"]}`)
			if f := wantOne[*wire.ErrorFrame](again); told(f.ID) != 2 || f.Code != wire.CodeBadField || f.Message != message || f.View != "" {
				t.Errorf("on reconnect: %+v, when it was dropped: %s", f, message)
			}
		}
		if status, _, body := h.get("/v1/dashboards/checkout?panels=visits"); status != 400 || !strings.Contains(body, "1103") {
			t.Errorf("read: %d %s", status, body)
		}
		// The two places are free again, and the remaining view continues.
		for view, panels := range views {
			c.send(`{"type":"set","id":3,"view":"` + view + `","maxRate":0}`)
			_, ended := c.frame().(*wire.ErrorFrame)
			if ended == (panels == `["rps"]`) {
				t.Errorf("%s: ended is %v", panels, ended)
			}
		}
		for range 2 {
			c.send(`{"type":"subscribe","id":4,"dashboard":"other` + string(rune('a'+len(refused))) + `"}`)
			wantOne[*wire.Subscribed](c)
			wantOne[*wire.Update](c)
			refused = refused[1:]
		}
		synctest.Wait() // over a link, the first reading may overtake the subscription
		if n := len(h.feed.boards[checkout].subs); n != 1 {
			t.Errorf("%d upstream subscriptions", n)
		}
	})
}

// The order of panels and groups, and repeated names, do not make another view. Asking for all
// panels and listing all of them do make different views. So a change of the definition never
// merges two subscriptions of a connection.
func TestViewIsCanonical(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		subscribe := func(fields string) *wire.Subscribed {
			c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"` + fields + `}`)
			f := wantOne[*wire.Subscribed](c)
			wantOne[*wire.Update](c)
			return f
		}
		both := subscribe(`,"panels":["rps","visits"],"groups":[["DE"],[null],[]]`)
		for _, same := range []string{
			`,"panels":["visits","rps"],"groups":[[],["DE"],[null]]`,
			`,"panels":["rps","visits","rps"],"groups":[["DE"],[null],["DE"],[]]`,
		} {
			if f := subscribe(same); f.View != both.View || f.Schema[0].Panel != "rps" {
				t.Errorf("%s: view %s of %v, want %s", same, f.View, f.Schema, both.View)
			}
		}
		seen := map[string]string{both.View: "both"}
		for _, other := range []string{
			``, `,"panels":["rps","visits"]`, `,"panels":["rps"]`, `,"groups":[["DE"]]`, `,"groups":[["de"]]`, `,"groups":[[null]]`, `,"groups":[[""]]`, `,"groups":[["null"]]`,
			`,"groups":[null]`, `,"groups":[[]]`, `,"groups":[["DE","x"]]`,
		} {
			if f := subscribe(other); seen[f.View] != "" {
				t.Errorf("%s and %s are one view", other, seen[f.View])
			} else {
				seen[f.View] = other
			}
		}
		synctest.Wait() // over a link, the first reading may overtake the subscription
		if n := len(h.feed.boards[checkout].subs); n != 1 {
			t.Errorf("%d upstream subscriptions", n)
		}
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 2, 2) })
		got := map[string]int{}
		for range 6 { // all, both panels, both with groups, rps, DE: five views show it, once each
			if len(got) == 5 {
				break
			}
			got[wantOne[*wire.Update](c).View.String()]++
		}
		for view, n := range got {
			if n != 1 {
				t.Errorf("%s: %d updates of one change", seen[view], n)
			}
		}
	})
}
