package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// A rate class sends the first change after an idle time at once, and the next not before its
// interval. The changes in between are one update.
func TestRates(t *testing.T) {
	for _, c := range []struct {
		maxRate  string
		interval time.Duration
	}{{"0", 5 * time.Millisecond}, {"100", 10 * time.Millisecond}, {"7", 200 * time.Millisecond}, {"0.2", 5 * time.Second}} {
		t.Run(c.maxRate, func(t *testing.T) {
			inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
				h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
				cl := h.connect()
				cl.send(`{"type":"subscribe","id":1,"dashboard":"checkout","maxRate":` + c.maxRate + `}`)
				wantOne[*wire.Subscribed](cl)
				wantOne[*wire.Update](cl)
				time.Sleep(time.Minute)

				done := make(chan bool)
				go func() { // a change every millisecond
					defer close(done)
					for range 20_000 {
						h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, float64(v), 1) })
						time.Sleep(time.Millisecond)
					}
				}()
				start := time.Now()
				last := wantOne[*wire.Update](cl)
				if d := time.Since(start); d > time.Millisecond {
					t.Errorf("the first change took %v", d)
				}
				at := time.Now()
				for range 3 {
					u := wantOne[*wire.Update](cl)
					if u.From != last.To || len(u.Cells) != 1 {
						t.Errorf("update %+v after one to %d", u, last.To)
					}
					if d := time.Since(at); d < c.interval || d > c.interval+2*time.Millisecond {
						t.Errorf("next update after %v, want %v", d, c.interval)
					}
					last, at = u, time.Now()
				}
				go func() { // reads on, so that the gateway does not block
					for {
						if _, _, err := cl.ws.ReadMessage(); err != nil {
							return
						}
					}
				}()
				<-done
			})
		})
	}
}

// While versions pass that change nothing in the view, its place is updated every 5 s.
func TestHeartbeat(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		c.send(`{"type":"subscribe","id":1,"dashboard":"checkout","panels":["rps"]}`)
		wantOne[*wire.Subscribed](c)
		wantOne[*wire.Update](c)
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 2, 1) })
		wantOne[*wire.Update](c)
		start := time.Now()
		go func() {
			for range 200 {
				time.Sleep(100 * time.Millisecond)
				h.step(func(b *board, v uint64) { b.put(v, panelVisits, "", 0, 1) })
			}
		}()
		for i := range 3 {
			u := wantOne[*wire.Update](c)
			if len(u.Cells) != 0 || len(u.Removed) != 0 || u.To <= u.From {
				t.Fatalf("%+v", u)
			}
			if d := time.Since(start).Round(100 * time.Millisecond); d != time.Duration(i+1)*5*time.Second {
				t.Fatalf("heartbeat %d after %v", i, d)
			}
		}
		time.Sleep(time.Minute)
	})
}

// However many readers are behind, at however many places, a cohort encodes few frames per version,
// and each is valid for its reader.
func TestLaggardsShare(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		for range 5_000 {
			h.step(func(b *board, v uint64) { b.put(v, panelRPS, fmt.Sprint(v%50), 0, float64(v), 1) })
		}
		m, err := h.srv.mirrors.acquire(t.Context(), checkout)
		if err != nil {
			t.Fatal(err)
		}
		defer h.srv.mirrors.release(m)
		m.mu.Lock()
		defer m.mu.Unlock()
		c, _ := m.join(cohortKey{dialect: protocol{}}, want{})
		for p := range uint64(5_000) {
			if f := c.frame(p, p == 0); f.from > p || f.to != 5_000 || p > 0 && f.from == 0 {
				t.Fatalf("a reader at %d got a frame from %d to %d", p, f.from, f.to)
			}
		}
		if n := len(c.frames); n > exactFrames+14 {
			t.Errorf("%d frames for 5,000 places", n)
		}
		delete(m.cohorts, c.key)
	})
}

// One of 200 clients stops reading for a minute. The others get everything, the cost of each stays
// the same, and the slow client has the newest state with the next frame.
func TestSlowClient(t *testing.T) {
	const viewers = 200
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		slow := h.connect()
		slow.subscribe("")
		wantOne[*wire.Update](slow)

		newest := make([]uint64, viewers)
		for i := range viewers - 1 {
			c := h.connect()
			c.subscribe("")
			go func() {
				for {
					_, b, err := c.ws.ReadMessage()
					if err != nil {
						return
					}
					f, _ := wire.ParseFrame(b)
					if u, ok := f.(*wire.Update); ok {
						newest[i] = u.To
					}
				}
			}()
		}
		var v uint64
		for range 240 { // a minute
			v = h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, float64(v), 1) })
			time.Sleep(250 * time.Millisecond)
			synctest.Wait()
			for i, got := range newest[:viewers-1] {
				if got != v {
					t.Fatalf("viewer %d is at %d, want %d", i, got, v)
				}
			}
		}
		for _, ses := range h.srv.allSessions() {
			ses.mu.Lock()
			if len(ses.answers) != 0 || len(ses.subs) != 1 {
				t.Errorf("a session holds %d answers and %d subscriptions", len(ses.answers), len(ses.subs))
			}
			ses.mu.Unlock()
		}
		// the frame that the socket had taken in part, then the newest state
		stale, next := wantOne[*wire.Update](slow), wantOne[*wire.Update](slow)
		if stale.To != 2 || next.From > stale.To || next.To != v || len(next.Cells) != 1 {
			t.Fatalf("after waking: %+v, then %+v; newest is %d", stale, next, v)
		}
	})
}

func (s *Server) allSessions() (all []*session) {
	for slot := range beats {
		all = append(all, s.inSlot(slot)...)
	}
	return all
}

// A socket that takes nothing for longer than WriteTimeout is closed.
func TestTooSlow(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		c.subscribe("")
		wantOne[*wire.Update](c)
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		time.Sleep(74 * time.Second)
		synctest.Wait()
		if h.srv.Sessions() != 1 {
			t.Fatal("closed before its time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if h.srv.Sessions() != 0 {
			t.Fatal("a session that takes nothing is kept")
		}
	})
}

// After its first ack a view gets at most 16 updates more than it has acked.
func TestAcks(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		step := func() uint64 {
			defer time.Sleep(10 * time.Millisecond)
			return h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, float64(v), 1) })
		}
		step()
		c := h.connect()
		view := c.subscribe("").View
		u := wantOne[*wire.Update](c)
		ack := func() { c.send(fmt.Sprintf(`{"type":"ack","views":{%q:%d,"nonsense":1}}`, view, u.To)) }
		ack()
		synctest.Wait()
		got := make(chan *wire.Update, 100)
		go func() {
			for {
				_, b, err := c.ws.ReadMessage()
				if err != nil {
					close(got)
					return
				}
				f, _ := wire.ParseFrame(b)
				got <- f.(*wire.Update)
			}
		}()
		var v uint64
		for range 50 {
			v = step()
		}
		synctest.Wait()
		if len(got) != maxUnacked {
			t.Fatalf("%d updates without an ack, want %d", len(got), maxUnacked)
		}
		for range maxUnacked {
			u = <-got
		}
		ack()
		if next := <-got; next.From != u.To || next.To != v {
			t.Fatalf("after the ack %+v, newest is %d", next, v)
		}
	})
}

func TestStatus(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.time = 7_000; b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		c.subscribe("")
		wantOne[*wire.Update](c)
		lag := func(ms int64) {
			h.feed.mu.Lock()
			h.feed.lag = ms
			h.feed.mu.Unlock()
		}
		lag(4_000)
		if f := wantOne[*wire.Status](c); f.State != "stale" || f.Lag != 4_000 || f.Since == nil || *f.Since != 7_000 {
			t.Fatalf("%+v", f)
		}
		lag(10)
		if f := wantOne[*wire.Status](c); f.State != "live" || f.Lag != 10 || f.Since != nil {
			t.Fatalf("%+v", f)
		}
	})
}

// Answers to a client that sends and does not read are bounded: its messages wait.
func TestControlIsBounded(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		c := h.connect()
		go func() {
			for range 1_000 {
				if c.ws.WriteMessage(1, []byte(`{"type":"refresh","id":1}`)) != nil {
					return
				}
			}
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		for _, ses := range h.srv.allSessions() {
			ses.mu.Lock()
			if n := len(ses.answers); n != maxAnswers {
				t.Errorf("%d answers wait, want %d", n, maxAnswers)
			}
			ses.mu.Unlock()
		}
		for range 1_000 {
			wantOne[*wire.ErrorFrame](c)
		}
	})
}

// A session that was slow for so long that the removed cells it lacks are forgotten is told so, and
// gets everything again.
func TestSlowBeyondTombstones(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		c.subscribe("")
		wantOne[*wire.Update](c)
		for i := range 1_200 {
			group := fmt.Sprint(i)
			h.step(func(b *board, v uint64) { b.put(v, panelRPS, group, 0, 1, 1) })
			h.step(func(b *board, v uint64) { b.remove(v, "a/"+group+"/") })
			time.Sleep(10 * time.Millisecond)
		}
		wantOne[*wire.Update](c) // the update that the socket had taken in part
		if g := wantOne[*wire.Gap](c); g.Why != wire.WhyRetention {
			t.Fatalf("%+v", g)
		}
		if u := wantOne[*wire.Update](c); u.From != 0 || u.To != 2_401 || len(u.Cells) != 1 {
			t.Fatalf("from %d to %d, %d cells", u.From, u.To, len(u.Cells))
		}
	})
}
