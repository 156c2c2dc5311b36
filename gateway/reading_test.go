package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
	"github.com/gorilla/websocket"
)

func TestReading(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) {
			b.time = 1_795_422_000_371
			b.put(v, panelRPS, "DE", 0, 12, 815)
			b.newest(v, "latency", 12.5, 1_795_422_000_300, `{"unit":"ms"}`)
		})
		status, head, body := h.get("/v1/dashboards/checkout?panels=rps")
		const want = `{"dashboard":"checkout","tenant":"default","epoch":"9f2c41d0","version":1,"view":"` + rpsView + `","time":1795422000371,"watermark":1795421998371,"state":"live","since":null,"lag":0,` +
			`"schema":[{"panel":"rps","title":"Requests","window":{"tumbling":10000},"axis":{"unit":"ms","step":10000,"text":"every 10 s"},"keep":60,"groupBy":["labels.country"],"columns":["count","avg"]}],"from":0,"to":1,"cells":[[0,0,0,10000,["DE"],0,[12,815]]],"removed":[],` +
			`"latest":{"latency":{"value":12.5,"time":1795422000300,"metadata":{"unit":"ms"}}},"counters":`
		if status != 200 || !strings.HasPrefix(body, want) || !json.Valid([]byte(body)) {
			t.Fatalf("%d\ngot  %s\nwant %s…", status, body, want)
		}
		if etag := head.Get("ETag"); etag != `"9f2c41d0:1:`+rpsView+`"` {
			t.Errorf("ETag %s", etag)
		}
		if _, _, body := h.get("/v1/dashboards/checkout?include=late,refused"); !strings.Contains(body, `"late":[{"id":"e-1"`) || !strings.Contains(body, `"refused":[]`) {
			t.Errorf("lists: %s", body)
		}
		if _, _, body := h.get("/v1/dashboards/checkout?cells=none"); !strings.Contains(body, `"from":0,"to":1,"cells":[],"removed":[],"latest":{"latency"`) || !json.Valid([]byte(body)) {
			t.Errorf("without cells: %s", body)
		}
		if _, _, body := h.get(`/v1/dashboards/checkout?groups=[["FR"],[null]]`); !strings.Contains(body, `"cells":[]`) {
			t.Errorf("groups: %s", body)
		}
	})
}

// The answer to a reading, depending on what the caller holds. The dashboard is at version 3; the
// view is that of all panels.
func TestReadingSince(t *testing.T) {
	for name, c := range map[string]struct {
		query, match string
		status       int
		from, cells  int
	}{
		"from the beginning":        {"", "", 200, 0, 2},
		"since":                     {"?since=9f2c41d0:1", "", 200, 1, 1},
		"since newest":              {"?since=9f2c41d0:3", "", 200, 3, 0},
		"since ahead":               {"?since=9f2c41d0:9", "", 200, 0, 2},
		"another epoch":             {"?since=00000001:1", "", 200, 0, 2},
		"another view":              {"?since=9f2c41d0:1:0000000000000001", "", 200, 0, 2},
		"match":                     {"", `"9f2c41d0:3:VIEW"`, 304, 0, 0},
		"weak match":                {"", `W/"9f2c41d0:3:VIEW"`, 304, 0, 0},
		"match ahead":               {"", `"9f2c41d0:4:VIEW"`, 200, 0, 2},
		"match any":                 {"", `*`, 304, 0, 0},
		"match in a list":           {"", `"a,b", "9f2c41d0:2:VIEW" ,W/"9f2c41d0:3:VIEW"`, 304, 0, 0},
		"match none of many":        {"", `"a", "9f2c41d0:2:VIEW", "*"`, 200, 0, 2},
		"match and since":           {"?since=9f2c41d0:1", `"9f2c41d0:3:VIEW"`, 304, 0, 0},
		"match another epoch ahead": {"", `"9f2c41d1:9:VIEW"`, 200, 0, 2},
		"match behind":              {"", `"9f2c41d0:2:VIEW"`, 200, 0, 2},
		"match another view":        {"", `"9f2c41d0:3:0000000000000001"`, 200, 0, 2},
		"match nonsense":            {"", `"abc"`, 200, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
				for i := range 2 {
					h.step(func(b *board, v uint64) { b.put(v, panelRPS, fmt.Sprint(i), 0, 1, 1) })
				}
				h.step(func(b *board, v uint64) {})
				_, head, _ := h.get("/v1/dashboards/checkout")
				view := strings.Trim(head.Get("ETag"), `"`)[len("9f2c41d0:3:"):]
				status, _, body := h.get("/v1/dashboards/checkout"+c.query, "If-None-Match", strings.ReplaceAll(c.match, "VIEW", view))
				if status != c.status {
					t.Fatalf("status %d, want %d: %s", status, c.status, body)
				}
				if status != http.StatusOK {
					return
				}
				var got struct {
					From, To int
					Cells    []json.RawMessage
				}
				if err := json.Unmarshal([]byte(body), &got); err != nil {
					t.Fatal(err)
				}
				if got.From != c.from || got.To != 3 || len(got.Cells) != c.cells {
					t.Errorf("from %d to %d, %d cells; want from %d to 3, %d cells", got.From, got.To, len(got.Cells), c.from, c.cells)
				}
			})
		})
	}
}

// A reading waits for a place ahead of what is served, in whatever form it is given, and is then
// answered like any other. If the place does not come within 5 s, the answer starts from 0. The
// same rule applies to a subscribe with since.
func TestReadingAhead(t *testing.T) {
	const here, beyond = `"9f2c41d0:3:VIEW"`, `"9f2c41d0:5:VIEW"`
	for name, c := range map[string]struct {
		query, match string
		comes        bool // version 5 comes 2 s later
		status       int
		from, to     int
		after        time.Duration
	}{
		"since, comes":           {"?since=9f2c41d0:5", "", true, 200, 5, 5, 2 * time.Second},
		"since, partly":          {"?since=9f2c41d0:4", "", true, 200, 4, 4, 1 * time.Second},
		"since, does not":        {"?since=9f2c41d0:5", "", false, 200, 0, 3, patience},
		"since and wait":         {"?since=9f2c41d0:5&wait=2s", "", true, 200, 5, 5, 4 * time.Second},
		"since of another view":  {"?since=9f2c41d0:5:0000000000000001", "", true, 200, 0, 3, 0},
		"since of another epoch": {"?since=00000001:5", "", true, 200, 0, 3, 0},
		"match, comes":           {"", beyond, true, 304, 0, 0, 2 * time.Second},
		"match, does not":        {"", beyond, false, 200, 0, 3, patience},
		"one of the list ahead":  {"", `"x", ` + beyond, false, 200, 0, 3, patience},
		"one of the list here":   {"", here + ", " + beyond, false, 304, 0, 0, patience},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
				for i := range 3 {
					h.step(func(b *board, v uint64) { b.put(v, panelRPS, fmt.Sprint(i), 0, 1, 1) })
				}
				_, head, _ := h.get("/v1/dashboards/checkout")
				view := strings.Trim(head.Get("ETag"), `"`)[len("9f2c41d0:3:"):]
				var steps sync.WaitGroup
				defer steps.Wait()
				if c.comes {
					steps.Go(func() {
						for range 2 {
							time.Sleep(time.Second)
							h.step(func(b *board, v uint64) {})
						}
					})
				}
				began := time.Now()
				status, _, body := h.get("/v1/dashboards/checkout"+c.query, "If-None-Match", strings.ReplaceAll(c.match, "VIEW", view))
				took := time.Since(began).Round(100 * time.Millisecond)
				var got struct{ From, To int }
				if status == http.StatusOK {
					if err := json.Unmarshal([]byte(body), &got); err != nil {
						t.Fatal(err)
					}
				}
				if status != c.status || got.From != c.from || got.To != c.to || took != c.after {
					t.Errorf("%d from %d to %d after %v, want %d from %d to %d after %v", status, got.From, got.To, took, c.status, c.from, c.to, c.after)
				}
			})
		})
	}
}

// A long poll is answered by the first change that the view shows, or when its time is over.
func TestLongPoll(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		go func() {
			time.Sleep(3 * time.Second)
			h.step(func(b *board, v uint64) { b.put(v, panelVisits, "", 0, 1) })
			time.Sleep(3 * time.Second)
			h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 2, 1) })
		}()
		start := time.Now()
		_, _, body := h.get("/v1/dashboards/checkout?panels=rps&since=9f2c41d0:1&wait=25s")
		if d := time.Since(start).Round(time.Second); d != 6*time.Second || !strings.Contains(body, `"cells":[[0,0,[2,1]]]`) {
			t.Fatalf("after %v: %s", d, body)
		}
		_, head, _ := h.get("/v1/dashboards/checkout")
		start = time.Now()
		status, _, _ := h.get("/v1/dashboards/checkout?wait=25s", "If-None-Match", head.Get("ETag"))
		if d := time.Since(start).Round(time.Second); d != 25*time.Second || status != 304 {
			t.Fatalf("after %v: %d", d, status)
		}
		// The wait may be shorter than a first read.
		for query, want := range map[string]int{"wait=1s&since=9f2c41d0:3": 200, "wait=1s&after=0:99": 504} {
			start = time.Now()
			status, _, body := h.get("/v1/dashboards/checkout?" + query)
			if d := time.Since(start).Round(time.Second); d != time.Second || status != want {
				t.Errorf("%s: after %v: %d %s", query, d, status, body)
			}
		}
	})
}

// Every refusal over HTTP, by path.
func TestHTTPRefusals(t *testing.T) {
	inBubble(t, Config{Limits: limitsOf(t, limits.Values{limits.ProcessSessions: 1})}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		h.connect()
		up := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
		for _, c := range []struct {
			method, path string
			header       []string
			status       int
			code         wire.Code
		}{
			{"GET", "/v1/dashboards/nope", nil, 404, wire.CodeUnknownDashboard},
			{"GET", "/v1/dashboards/checkout?tenant=other", nil, 404, wire.CodeUnknownDashboard},
			{"GET", "/v1/dashboards/a%20b", nil, 400, wire.CodeBadField},
			{"GET", "/v1/dashboards/a?tenant=%2f", nil, 400, wire.CodeBadField},
			{"GET", "/v1/dashboards/checkout?panels=nope", nil, 400, wire.CodeBadField},
			{"GET", "/v1/dashboards/checkout?panels=", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?groups=DE", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?since=7", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?since=9f2c41d0:-1", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?wait=long", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?wait=2h", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?after=3", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?after=0:x", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?after=0:99&wait=1s", nil, 504, wire.CodeNotInTime},
			{"GET", "/v1/dashboards/checkout?after=0:1,&wait=1s", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?after=" + strings.Repeat("0:1,", 1024) + "0:1", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?cells=all", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout?include=all", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards?limit=0", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards?limit=1001", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards?cursor=%20", nil, 400, wire.CodeBadOption},
			{"GET", "/v1/dashboards/checkout/stream", nil, 501, wire.CodeNotAvailable},
			{"POST", "/v1/events", nil, 501, wire.CodeNotAvailable},
			{"GET", "/v1/dashboards/checkout/definition", nil, 501, wire.CodeNotAvailable},
			{"GET", "/nowhere", nil, 404, wire.CodeBadMessage},
			{"PUT", "/v1/dashboards/checkout", nil, 405, wire.CodeBadMessage},
			{"GET", "/v1/events", nil, 405, wire.CodeBadMessage},
			{"GET", "/v1/ws", nil, 426, wire.CodeBadMessage},
			{"GET", "/dashboard/checkout", nil, 426, wire.CodeBadMessage},
			{"GET", "/dashboard/a%20b", up, 400, wire.CodeBadField},
			{"GET", "/v1/ws", up, 429, wire.CodeLimit},
			{"GET", "/v1/ws", append([]string{"Origin", "https://evil.example"}, up...), 403, wire.CodeForbidden},
			{"POST", "/v1/events", []string{"Origin", "https://evil.example"}, 403, wire.CodeForbidden},
		} {
			status, head, body := h.do(c.method, c.path, c.header...)
			if status != c.status || code(t, body) != c.code {
				t.Errorf("%s %s: %d %s, want %d with code %d", c.method, c.path, status, body, c.status, c.code)
			}
			if (status == 429) != (head.Get("Retry-After") != "") {
				t.Errorf("%s %s: status %d with Retry-After %q", c.method, c.path, status, head.Get("Retry-After"))
			}
			if status == 405 && head.Get("Allow") == "" || status == 426 && !strings.Contains(body, "new WebSocket") {
				t.Errorf("%s %s: no hint: %v %s", c.method, c.path, head, body)
			}
		}
	})
}

func TestSlowLoadIsStarting(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.feed.hold = make(chan struct{})
		c := h.connect()
		// over a pipe, a pong would wait for the reader
		c.ws.SetPingHandler(func(string) error { return nil })
		c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
		if e := wantOne[*wire.ErrorFrame](c); !e.Retry {
			t.Fatalf("%+v", e)
		}
		close(h.feed.hold)
		c.subscribe("")
	})
}

func TestList(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		for i := range 5 {
			h.feed.step(messages.Key{Tenant: "acme", Dashboard: fmt.Sprintf("d%d", i)}, func(b *board, v uint64) { b.time = 9 })
		}
		h.step(func(*board, uint64) {})
		h.dial("/dashboard/d3?tenant=acme").text()
		var names []string
		cursor := ""
		for range 3 {
			_, _, body := h.get("/v1/dashboards?tenant=acme&prefix=d&limit=2&cursor=" + cursor)
			var page struct {
				Dashboards []listEntry
				Next       *string
			}
			if err := json.Unmarshal([]byte(body), &page); err != nil {
				t.Fatal(err)
			}
			for _, d := range page.Dashboards {
				names = append(names, fmt.Sprint(d.Dashboard, ":", d.Sessions))
			}
			if page.Next == nil {
				break
			}
			cursor = *page.Next
		}
		if got := fmt.Sprint(names); got != "[d0:0 d1:0 d2:0 d3:1 d4:0]" {
			t.Fatal(got)
		}
		if _, _, body := h.get("/v1/dashboards?tenant=none"); body != `{"dashboards":[],"next":null}` {
			t.Fatal(body)
		}
	})
}

func TestPlainDialect(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) {
			b.time = 1_795_422_000_371
			b.put(v, panelRPS, "DE", 0, 12, 815)
			b.newest(v, "latency", 12.5, 1_795_422_000_371, `{"unit":"ms"}`)
		})
		c := h.dial("/dashboard/checkout")
		const initial = `{"type":"initial-state","dashboardId":"checkout","timestamp":1795422000371,"metrics":{"latency":{"value":12.5,"timestamp":1795422000371,"metadata":{"unit":"ms"}}},` +
			`"panels":[{"panel":"rps","title":"Requests","columns":["count","avg"],"cells":[{"start":0,"end":10000,"group":["DE"],"final":false,"values":[12,815]}]},` +
			`{"panel":"visits","title":"","columns":["count"],"cells":[]}],"epoch":"9f2c41d0","version":1}`
		if got := c.text(); got != initial {
			t.Fatalf("\ngot  %s\nwant %s", got, initial)
		}
		c.send("whatever") // ignored
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 13, 1) })
		h.step(func(b *board, v uint64) {
			b.newest(v, "latency", 13, 1_795_422_000_400, "")
			b.newest(v, `a"b`, -0.5, 1_795_422_000_401, `[1]`)
		})
		for _, want := range []string{
			`{"type":"update","dashboardId":"checkout","timestamp":1795422000400,"metric":"latency","value":13,"metadata":{}}`,
			`{"type":"update","dashboardId":"checkout","timestamp":1795422000401,"metric":"a\"b","value":-0.5,"metadata":[1]}`,
		} {
			if got := c.text(); got != want {
				t.Fatalf("\ngot  %s\nwant %s", got, want)
			}
		}
		// A viewer that does not read skips updates: it gets the newest value, but not the ones in
		// between. (A frame that the socket had taken is sent already.)
		for i := range 100 {
			h.step(func(b *board, v uint64) { b.newest(v, "latency", float64(i), int64(i), "") })
			time.Sleep(10 * time.Millisecond)
		}
		if first, second := c.text(), c.text(); !strings.Contains(first, `"value":0,`) || !strings.Contains(second, `"value":99,`) {
			t.Fatalf("got %s, then %s", first, second)
		}
		empty := h.dial("/dashboard/empty")
		if got := empty.text(); !strings.Contains(got, `"metrics":{},`) || !strings.Contains(got, `"epoch":"00000000","version":0`) {
			t.Fatal(got)
		}
		h.feed.step(messages.Key{Tenant: "default", Dashboard: "empty"}, func(b *board, v uint64) { b.newest(v, "m", 7, 8, "") })
		if got := empty.text(); got != `{"type":"update","dashboardId":"empty","timestamp":8,"metric":"m","value":7,"metadata":{}}` {
			t.Fatal(got)
		}
		h.step(func(b *board, v uint64) { b.shatter() })
		if got := c.text(); !strings.HasPrefix(got, `{"type":"initial-state"`) {
			t.Fatalf("after a break: %s", got)
		}
	})
}

// The answer of a handshake about the subprotocol.
func TestSubprotocols(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		for asked, echoed := range map[string]string{
			"": "", "dashfeed.v1.json": "dashfeed.v1.json", "dashfeed.v1.msgpack": "", "chat": "", "chat,dashfeed.v1.json": "dashfeed.v1.json",
		} {
			d := websocket.Dialer{NetDialContext: h.pipes.dial}
			if asked != "" {
				d.Subprotocols = strings.Split(asked, ",")
			}
			ws, _, err := d.Dial("ws://gateway/v1/ws", nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := ws.Subprotocol(); got != echoed {
				t.Errorf("asked %q, echoed %q, want %q", asked, got, echoed)
			}
			if f := wantOne[*wire.Connected](&client{t, ws}); f.PingEvery != 25_000 {
				t.Errorf("%+v", f)
			}
			_ = ws.Close()
		}
	})
}
