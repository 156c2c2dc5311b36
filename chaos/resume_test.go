package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// TestResume disconnects a client 1,000 times at random moments of a busy dashboard whose cells
// come and go, sometimes for so long that the tombstones it needs are gone. The client always
// resumes from its place or is told of the gap. Whenever the events pause it holds exactly what the
// server has.
func TestResume(t *testing.T) {
	t.Parallel()
	const disconnects, compareEvery = 1000, 50
	p := start(t, t.TempDir())
	define(t, p, "r", `
time: {bound: 0s, lateness: 0s, max_future: 240h}
dedupe: {by: none}
panels:
  - {id: rolling, window: {tumbling: 1s}, keep: 3, group_by: [labels.k], aggregates: [count, sum, last]}
  - {id: sessions, window: {session: 2s}, keep: 2, group_by: [labels.k], aggregates: [count, max]}
  - {id: newest, window: latest, group_by: [labels.k]}
`)
	r := &resuming{p: p, random: rand.New(rand.NewPCG(1, 2)), gaps: map[string]int{}}
	c, err := client.New(client.Options{Server: p.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n := range disconnects {
		// These events happen while the client is disconnected: mostly few, now and then more than
		// the tombstones cover.
		steps := r.random.IntN(4)
		if n%100 == 99 {
			steps = 150
		}
		r.post(t, steps)
		if n%compareEvery == compareEvery-1 {
			r.connect(t, func(conn *websocket.Conn) { r.compare(t, conn, c) })
			continue
		}
		r.connect(t, func(conn *websocket.Conn) { r.watch(t, conn) })
	}
	t.Logf("%d disconnects: %d resumed, %d from 0, gaps %v", disconnects, r.resumed, r.fresh, r.gaps)
	if r.resumed < disconnects/2 || r.gaps[wire.WhyRetention] == 0 {
		t.Errorf("want most connections resumed and some gaps of retention, got %d and %v", r.resumed, r.gaps)
	}
}

// resuming is a client that is disconnected again and again.
type resuming struct {
	p              *process.Process
	random         *rand.Rand
	view           wire.View
	clock          int64 // event time of the next events, in seconds
	resumed, fresh int
	gaps           map[string]int
}

// post advances event time by that many seconds, with some groups in each second.
func (r *resuming) post(t *testing.T, seconds int) {
	t.Helper()
	body, _ := r.body(seconds)
	if body == "" {
		return
	}
	if a := ask(t, "POST", r.p.URL+"/v1/events", []byte(body)); a.status != http.StatusAccepted {
		t.Fatalf("POST: %s", a)
	}
}

func (r *resuming) body(seconds int) (body string, events int) {
	var b strings.Builder
	const origin = 1_700_000_000_000
	for range seconds {
		r.clock++
		for range 1 + r.random.IntN(12) {
			events++
			fmt.Fprintf(&b, `{"dashboard":"r","metric":"m","value":%d,"time":%d,"labels":{"k":"k%d"}}`+"\n",
				r.random.IntN(100), origin+r.clock*1000+int64(r.random.IntN(1000)), r.random.IntN(40))
		}
	}
	return b.String(), events
}

// connect subscribes with the held place, and closes the connection when use returns.
func (r *resuming) connect(t *testing.T, use func(*websocket.Conn)) {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial(strings.Replace(r.p.URL, "http", "ws", 1)+"/v1/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	s := wire.Subscribe{ID: new(int64(1)), Dashboard: "r"}
	if !r.view.Empty() {
		place := r.view.Place()
		s.Since = &wire.Place{Epoch: place.Epoch.String(), Version: place.Version, View: place.View.String()}
	}
	if err := conn.WriteMessage(websocket.TextMessage, wire.Encode(s)); err != nil {
		t.Fatal(err)
	}
	use(conn)
}

// watch posts while it reads a random number of frames; the disconnect comes wherever that ends.
func (r *resuming) watch(t *testing.T, conn *websocket.Conn) {
	t.Helper()
	body, events := r.body(r.random.IntN(3))
	ctx, cancel := context.WithCancel(t.Context())
	var posting sync.WaitGroup
	defer posting.Wait()
	defer cancel()
	if events > 0 {
		// this post may be cut off too
		posting.Go(func() { _, _ = try(ctx, "POST", r.p.URL+"/v1/events", []byte(body)) })
	}
	frames := 2 // connected and subscribed; while nothing happens a third may not come for seconds
	if events > 0 {
		frames += r.random.IntN(2)
	}
	for range frames {
		r.next(t, conn)
	}
}

// compare reads until the view is at the server's version, and compares the two.
func (r *resuming) compare(t *testing.T, conn *websocket.Conn, c *client.Client) {
	t.Helper()
	for r.next(t, conn) == nil {
	}
	for {
		reading, err := c.Read(t.Context(), "r", client.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if r.view.Place().Version != reading.Version {
			r.next(t, conn)
			continue
		}
		server, err := wire.ParseCells(reading.Cells)
		if err != nil {
			t.Fatal(err)
		}
		held := contents(r.view.Cells())
		if len(held) != len(server) {
			t.Errorf("at version %d the client holds %d cells, the server %d", reading.Version, len(held), len(server))
		}
		for _, s := range server {
			if got, want := held[identity(s.Panel, s.Start, s.Group)], value(s.Revision, s.End, s.Row); got != want {
				t.Errorf("at version %d cell %s: the client has %q, the server %q", reading.Version, identity(s.Panel, s.Start, s.Group), got, want)
			}
		}
		if t.Failed() {
			t.FailNow()
		}
		return
	}
}

// next reads one frame and applies it to the view; it returns nil for frames that a view ignores.
func (r *resuming) next(t *testing.T, conn *websocket.Conn) wire.Frame {
	t.Helper()
	_, data, err := conn.ReadMessage()
	if err != nil {
		t.Fatalf("read at %s: %v", r.view.Place(), err)
	}
	frame, err := wire.ParseFrame(data)
	if err != nil {
		t.Fatalf("frame %.200s: %v", data, err)
	}
	switch f := frame.(type) {
	case *wire.Subscribed:
		if f.Resumed {
			r.resumed++
		} else {
			r.fresh++
		}
		err = r.view.Subscribed(f)
	case *wire.Gap:
		r.gaps[f.Why]++
		r.view.Gap()
	case *wire.Update:
		before := r.view.Place()
		if _, err = r.view.Apply(f); err == nil && r.view.Place().Version < before.Version {
			t.Fatalf("version went back from %s to %s", before, r.view.Place())
		}
	case *wire.ErrorFrame:
		t.Fatalf("error: %s", data)
	default:
		return nil
	}
	if err != nil {
		t.Fatalf("frame %.200s at %s: %v", data, r.view.Place(), err)
	}
	return frame
}
