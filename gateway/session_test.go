package gateway

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a client receives from the first frame on, byte for byte.
func TestTranscript(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.time = 5_000; b.put(v, panelRPS, "DE", 0, 12, 815) })
		c := h.connect()
		expect := func(want string) {
			t.Helper()
			if got := c.text(); got != want {
				t.Fatalf("\ngot  %s\nwant %s", got, want)
			}
		}
		c.send(`{"type":"subscribe","id":1,"dashboard":"checkout","panels":["rps"],"maxRate":3}`)
		expect(`{"type":"subscribed","id":1,"dashboard":"checkout","view":"` + rpsView + `","rate":2,"resumed":false,"schema":[{"panel":"rps","title":"Requests","window":{"tumbling":10000},"axis":{"unit":"ms","step":10000,"text":"every 10 s"},"keep":60,"groupBy":["labels.country"],"columns":["count","avg"]}]}`)
		expect(`{"type":"update","view":"` + rpsView + `","epoch":"9f2c41d0","from":0,"to":1,"time":5000,"cells":[[0,0,0,10000,["DE"],0,[12,815]]]}`)
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 13, 800.5) })
		expect(`{"type":"update","view":"` + rpsView + `","epoch":"9f2c41d0","from":1,"to":2,"time":5000,"cells":[[0,0,[13,800.5]]]}`)
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "FR", 0, 1, 9.5); b.remove(v, "a/DE") })
		expect(`{"type":"update","view":"` + rpsView + `","epoch":"9f2c41d0","from":2,"to":3,"cells":[[1,0,0,10000,["FR"],0,[1,9.5]]],"removed":[0]}`)
		c.send(`{"type":"set","id":2,"view":"` + rpsView + `","maxRate":0.25}`)
		expect(`{"type":"subscribed","id":2,"dashboard":"checkout","view":"` + rpsView + `","rate":0.2,"resumed":true,"schema":[{"panel":"rps","title":"Requests","window":{"tumbling":10000},"axis":{"unit":"ms","step":10000,"text":"every 10 s"},"keep":60,"groupBy":["labels.country"],"columns":["count","avg"]}]}`)
		c.send(`{"type":"unsubscribe","id":4,"view":"` + rpsView + `"}`)
		expect(`{"type":"unsubscribed","id":4,"view":"` + rpsView + `"}`)
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "FR", 0, 2, 9.5) })
		c.silent(20 * time.Second)
	})
}

// rpsView is the id of the view {"panels":["rps"]} of the test's dashboard. It may not change from
// release to release without a reason.
const rpsView = "b24b1a0feae88c58"

// A dashboard that has no record yet can be watched. Its first record begins another epoch.
func TestNoRecordYet(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
		wantOne[*wire.Subscribed](c)
		if u := wantOne[*wire.Update](c); u.From != 0 || u.To != 0 || u.Epoch != 0 || len(u.Cells) != 0 {
			t.Fatalf("first update %+v, want an empty one from 0 to 0", u)
		}
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		if g := wantOne[*wire.Gap](c); g.Why != wire.WhyEpoch {
			t.Fatalf("gap %+v", g)
		}
		if u := wantOne[*wire.Update](c); u.From != 0 || u.To != 1 || len(u.Cells) != 1 {
			t.Fatalf("update %+v", u)
		}
	})
}

// Every refusal, by code. The connection stays.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		send string
		code wire.Code
		id   int64
	}{
		"no JSON":            {`{"type":`, wire.CodeBadMessage, -1},
		"no object":          {`[1]`, wire.CodeBadMessage, -1},
		"no type":            {`{"id":3}`, wire.CodeBadMessage, 3},
		"unknown type":       {`{"type":"dance","id":3}`, wire.CodeBadMessage, 3},
		"server's type":      {`{"type":"update","id":3}`, wire.CodeBadMessage, 3},
		"no dashboard":       {`{"type":"subscribe","id":1}`, wire.CodeBadField, 1},
		"bad dashboard":      {`{"type":"subscribe","id":1,"dashboard":"a b"}`, wire.CodeBadField, 1},
		"bad tenant":         {`{"type":"subscribe","id":1,"dashboard":"a","tenant":"/"}`, wire.CodeBadField, 1},
		"wrong type":         {`{"type":"subscribe","id":1,"dashboard":7}`, wire.CodeBadField, 1},
		"negative version":   {`{"type":"subscribe","id":1,"dashboard":"a","since":{"epoch":"9f2c41d0","version":-1}}`, wire.CodeBadField, 1},
		"forged epoch":       {`{"type":"subscribe","id":1,"dashboard":"a","since":{"epoch":"zz","version":1}}`, wire.CodeBadOption, 1},
		"forged view":        {`{"type":"subscribe","id":1,"dashboard":"a","since":{"epoch":"9f2c41d0","version":1,"view":"1"}}`, wire.CodeBadOption, 1},
		"rate below classes": {`{"type":"subscribe","id":1,"dashboard":"a","maxRate":0.1}`, wire.CodeBadOption, 1},
		"negative rate":      {`{"type":"subscribe","id":1,"dashboard":"a","maxRate":-1}`, wire.CodeBadOption, 1},
		"unknown panel":      {`{"type":"subscribe","id":1,"dashboard":"a","panels":["nope"]}`, wire.CodeBadField, 1},
		"no panels":          {`{"type":"subscribe","id":1,"dashboard":"a","panels":[]}`, wire.CodeBadField, 1},
		"no groups":          {`{"type":"subscribe","id":1,"dashboard":"a","groups":[]}`, wire.CodeBadField, 1},
		"set without a rate": {`{"type":"set","id":2,"view":"0000000000000001"}`, wire.CodeBadField, 2},
		"set of no view":     {`{"type":"set","id":2,"view":"0000000000000001","maxRate":1}`, wire.CodeBadField, 2},
		"set of a bad view":  {`{"type":"set","id":2,"view":"x","maxRate":1}`, wire.CodeBadField, 2},
		"unsubscribe none":   {`{"type":"unsubscribe","id":2,"view":"0000000000000001"}`, wire.CodeBadField, 2},
		"refresh":            {`{"type":"refresh","id":9,"token":"t"}`, wire.CodeNotAvailable, 9},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
				cl := h.connect()
				cl.send(c.send)
				e := wantOne[*wire.ErrorFrame](cl)
				if e.Code != c.code || told(e.ID) != c.id || e.Message == "" || e.Retry != c.code.Entry().Retry {
					t.Fatalf("got %+v, want code %d, id %d", e, c.code, c.id)
				}
				cl.send(`{"type":"subscribe","id":5,"dashboard":"checkout"}`)
				wantOne[*wire.Subscribed](cl)
			})
		})
	}
}

// told returns an id as a number, -1 if there is none.
func told(id *int64) int64 {
	if id == nil {
		return -1
	}
	return *id
}

// The id of a message comes back in its answer. Without an id, the answer has none.
func TestIDsComeBack(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		c.send(`{"type":"subscribe","dashboard":"checkout"}`)
		view := wantOne[*wire.Subscribed](c).View
		wantOne[*wire.Update](c)
		for given, answered := range map[string]string{
			``: ``, `,"id":null`: ``, `,"id":0`: `0`, `,"id":-0`: `0`, `,"id":-7`: `-7`, `,"id":9007199254740993`: `9007199254740993`,
			`,"id":9223372036854775807`: `9223372036854775807`, `,"id":1,"id":0`: `0`,
		} {
			want := ""
			if answered != "" {
				want = `,"id":` + answered + `,`
			}
			for _, message := range []string{
				`"type":"ping"`, `"type":"subscribe","dashboard":"checkout"`, `"type":"set","view":"` + view + `","maxRate":0`, `"type":"set","view":"` + view + `"`,
				`"type":"refresh","token":"t"`, `"type":"unsubscribe","view":"0000000000000001"`, `"type":"dance"`, `"type":7`, `"x":1`,
				`"type":"subscribe","dashboard":"a b"`, `"type":"subscribe","dashboard":7`, `"type":"subscribe","dashboard":"checkout","panels":["nope"]`,
			} {
				c.send(`{` + message + given + `}`)
				got := c.text()
				for strings.HasPrefix(got, `{"type":"update"`) {
					got = c.text()
				}
				if head, _, _ := strings.Cut(strings.Replace(got, `}`, `,}`, 1), `"dashboard"`); !strings.Contains(head, want) || strings.Contains(head, `"id"`) != (want != "") {
					t.Errorf("%s%s: answered %s", message, given, got)
				}
			}
			c.send(`{"type":"connect"}`)
		}
		time.Sleep(time.Second) // the last subscribe's update may come after later answers
		c.send(`{"type":"ping","id":1}`)
		for !strings.HasPrefix(c.text(), `{"type":"pong"`) {
		}
		for _, bad := range []string{`"1"`, `1.0`, `1e2`, `9223372036854775808`, `true`, `[1]`} {
			c.send(`{"type":"ping","id":` + bad + `}`)
			if f := wantOne[*wire.ErrorFrame](c); f.Code != wire.CodeBadField || f.ID != nil {
				t.Errorf("id %s: %+v", bad, f)
			}
		}
	})
}

// A browser's client notices a dead socket by sending a ping. It is answered at once, with and
// without subscriptions.
func TestPing(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		c.send(`{"type":"ping","id":5}`)
		if f := wantOne[*wire.Pong](c); told(f.ID) != 5 {
			t.Fatalf("got %+v, want id 5", f)
		}
		c.send(`{"type":"ping"}`)
		if f := wantOne[*wire.Pong](c); f.ID != nil {
			t.Fatalf("got %+v, want no id", f)
		}
	})
}

func TestTenthBadMessageCloses(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		for range 9 {
			c.send("nonsense")
			wantOne[*wire.ErrorFrame](c)
		}
		c.send(`{"type":"connect"}`) // a good message in between restarts the count
		for range 9 {
			c.send("nonsense")
			wantOne[*wire.ErrorFrame](c)
		}
		c.send(`{"type":"dance"}`)
		wantOne[*wire.ErrorFrame](c)
		if got := c.closed(); got != int(wire.CloseBadProtocol) {
			t.Fatalf("closed with %d", got)
		}
	})
}

func TestFrameTooBig(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		fits := `{"type":"connect","token":"` + strings.Repeat("x", 65_536-29) + `"}`
		c.send(fits)
		c.send(fits + " ")
		if e := wantOne[*wire.ErrorFrame](c); e.Code != wire.CodeTooBig {
			t.Fatalf("%+v", e)
		}
		if got := c.closed(); got != int(wire.CloseTooBig) {
			t.Fatalf("closed with %d", got)
		}
	})
}

func TestSubscriptionLimit(t *testing.T) {
	inBubble(t, Config{Limits: limitsOf(t, limits.Values{limits.SessionSubscriptions: 3, limits.ProcessMirrors: 4})}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		for i := range 3 {
			c.send(fmt.Sprintf(`{"type":"subscribe","id":%d,"dashboard":"d%d"}`, i+1, i))
			wantOne[*wire.Subscribed](c)
			wantOne[*wire.Update](c)
		}
		c.send(`{"type":"subscribe","id":4,"dashboard":"d3"}`)
		if e := wantOne[*wire.ErrorFrame](c); e.Code != wire.CodeLimit || !e.Retry {
			t.Fatalf("%+v", e)
		}
		// the same view again takes no further place
		c.send(`{"type":"subscribe","id":5,"dashboard":"d0"}`)
		if f := wantOne[*wire.Subscribed](c); told(f.ID) != 5 {
			t.Fatalf("%+v", f)
		}
		// A fourth dashboard fits into the gateway, a fifth does not: the refused one has no copy.
		other := h.connect()
		other.send(`{"type":"subscribe","id":1,"dashboard":"d4"}`)
		wantOne[*wire.Subscribed](other)
		wantOne[*wire.Update](other)
		other.send(`{"type":"subscribe","id":1,"dashboard":"d5"}`)
		if e := wantOne[*wire.ErrorFrame](other); e.Code != wire.CodeLimit {
			t.Fatalf("%+v", e)
		}
	})
}

// A mirror ends some seconds after its last session.
func TestMirrorLingers(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
		view := wantOne[*wire.Subscribed](c).View
		wantOne[*wire.Update](c)
		time.Sleep(20 * time.Second)
		if h.srv.mirrors.len() != 1 {
			t.Fatal("a mirror that is looked at was let go")
		}
		c.send(`{"type":"unsubscribe","id":2,"view":"` + view + `"}`)
		wantOne[*wire.Unsubscribed](c)
		time.Sleep(9 * time.Second)
		if h.srv.mirrors.len() != 1 {
			t.Fatal("mirror gone before its time")
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if h.srv.mirrors.len() != 0 || len(h.feed.boards[checkout].subs) != 0 {
			t.Fatal("mirror kept for ever")
		}
	})
}

func TestPings(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		start := time.Now()
		var pings []time.Duration
		c.ws.SetPingHandler(func(string) error { // receives pings and does not answer
			pings = append(pings, time.Since(start).Round(time.Second))
			return nil
		})
		if got := c.closed(); got != int(wire.ClosePing) {
			t.Fatalf("closed with %d", got)
		}
		if len(pings) < 3 || pings[1]-pings[0] != 25*time.Second {
			t.Fatalf("pings at %v, want one every 25 s", pings)
		}
		if d := time.Since(start); d < 100*time.Second || d > 130*time.Second {
			t.Fatalf("closed after %v", d)
		}
		well := h.connect()
		_ = well.ws.SetReadDeadline(time.Now().Add(10 * time.Minute))
		_, _, err := well.ws.ReadMessage() // answers pings
		if d := time.Since(start); d < 11*time.Minute {
			t.Fatalf("a session that answers was closed after %v: %v", d, err)
		}
	})
}

func TestPingIsAnsweredAndCloseEchoed(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		pong := ""
		c.ws.SetPongHandler(func(s string) error { pong = s; return nil })
		if err := c.ws.WriteControl(9, []byte("hello"), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := c.ws.WriteControl(8, []byte{3, 232}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if got := c.closed(); got != 1000 || pong != "hello" {
			t.Fatalf("closed with %d, pong %q", got, pong)
		}
		synctest.Wait()
		if n := h.srv.Sessions(); n != 0 {
			t.Fatalf("%d sessions left", n)
		}
	})
}

func TestShutdownCloses1012(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		c, deaf := h.connect(), h.connect()
		p := h.dial("/dashboard/checkout")
		p.text()
		codes := make(chan int, 2)
		go func() { codes <- c.closed() }()
		go func() { codes <- p.closed() }()
		start := time.Now()
		h.shutdown()
		if got := []int{<-codes, <-codes}; got[0] != 1012 || got[1] != 1012 {
			t.Fatalf("closed with %v", got)
		}
		if d := time.Since(start); d > 3*time.Second {
			t.Fatalf("a deaf client held the gateway for %v", d)
		}
		_ = deaf
	})
}
