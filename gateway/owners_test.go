package gateway

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// stands sets the state of the shard, and tells the gateway.
func (h *testGateway) stands(state string, since time.Time) {
	h.feed.mu.Lock()
	h.feed.status = feed.Status{State: state, Since: since}
	h.feed.mu.Unlock()
	h.srv.Moved()
}

// While a dashboard has no owner its viewers are told so at once, and since when. The copy is still
// served, also to new viewers.
func TestNoOwner(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.time = 7_000; b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		c.subscribe("")
		wantOne[*wire.Update](c)

		lost := time.Now()
		h.feed.mu.Lock()
		h.feed.hold = make(chan struct{}) // readings get no answer
		h.feed.mu.Unlock()
		h.stands(wire.StateStale, lost)
		if f := wantOne[*wire.Status](c); f.State != wire.StateStale || f.Since == nil || *f.Since != lost.UnixMilli() {
			t.Fatalf("%+v", f)
		}
		if waited := time.Since(lost); waited > 10*time.Millisecond {
			t.Errorf("the viewer was told after %v", waited)
		}
		time.Sleep(4 * time.Second)
		late := h.connect()
		late.subscribe("")
		f, u := late.frame(), wire.Frame(nil)
		if st, ok := f.(*wire.Status); !ok || st.State != wire.StateStale || *st.Since != lost.UnixMilli() || st.Lag < 3_000 {
			t.Fatalf("who comes late is told %+v first", f)
		}
		if u = late.frame(); u.(*wire.Update).To != 1 {
			t.Fatalf("then %+v", u)
		}

		h.stands(wire.StateMoving, time.Time{})
		if f := wantOne[*wire.Status](c); f.State != wire.StateMoving || *f.Since != lost.UnixMilli() {
			t.Fatalf("%+v", f)
		}
		wantOne[*wire.Status](late)
		h.stands(wire.StateLive, time.Time{})
		if f := wantOne[*wire.Status](c); f.State != wire.StateLive || f.Since != nil {
			t.Fatalf("%+v", f)
		}
	})
}

// The gateway also notices without being told.
func TestNoOwnerUntold(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		c.subscribe("")
		wantOne[*wire.Update](c)
		began := time.Now()
		h.feed.mu.Lock()
		h.feed.status = feed.Status{State: wire.StateMoving, Since: began}
		h.feed.mu.Unlock()
		if f := wantOne[*wire.Status](c); f.State != wire.StateMoving || time.Since(began) > 1_100*time.Millisecond {
			t.Fatalf("%+v after %v", f, time.Since(began))
		}
	})
}

// A client that asks for a dashboard of which the gateway has no copy waits for an owner, for a
// bounded time.
func TestNoOwnerAndNoCopy(t *testing.T) {
	// a pipe has no room for a pong while the subscribe waits
	inBubble(t, Config{Sessions: Sessions{PingEvery: time.Hour}},
		func(t *testing.T, h *testGateway) {
			h.feed.hold = make(chan struct{})
			h.stands(wire.StateStale, time.Now())
			c := h.connect()
			began := time.Now()
			c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
			f := wantOne[*wire.ErrorFrame](c)
			if waited := time.Since(began); f.Code != wire.CodeStarting || !f.Retry || waited < 4*time.Second || waited > 6*time.Second {
				t.Fatalf("%+v after %v", f, waited)
			}
			close(h.feed.hold)
			h.stands(wire.StateLive, time.Time{})
			c.subscribe("")
			wantOne[*wire.Update](c)
		})
}

// A reading tells the state of its shard.
func TestReadingOfAShardThatMoves(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		h.stands(wire.StateMoving, time.UnixMilli(time.Now().UnixMilli()-500))
		_, _, body := h.get("/v1/dashboards/checkout")
		if want := `"state":"moving","since":946684799500,"lag":500,`; !strings.Contains(body, want) {
			t.Errorf("%s\nlacks %s", body, want)
		}
	})
}

// A snapshot of the same epoch replaces the copy by difference: its viewers continue where they
// are, and learn what was removed.
func TestSnapshotByDifference(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) {
			b.put(v, panelRPS, "DE", 0, 1, 1)
			b.put(v, panelRPS, "FR", 0, 1, 1)
		})
		c := h.connect()
		view := c.subscribe("").View
		first := wantOne[*wire.Update](c)
		h.feed.mu.Lock()
		h.feed.anew = true
		h.feed.mu.Unlock()
		v := h.step(func(b *board, v uint64) {
			b.remove(v, "a/DE")
			b.put(v, panelRPS, "FR", 0, 2, 2)
		})
		u := wantOne[*wire.Update](c)
		if u.From != first.To || u.To != v || len(u.Removed) != 1 || len(u.Cells) != 1 {
			t.Fatalf("%+v, want one removal and one cell from %d to %d", u, first.To, v)
		}
		again := h.connect()
		if got := again.subscribe(`{"epoch":"9f2c41d0","version":1,"view":"` + view + `"}`); !got.Resumed {
			t.Fatalf("%+v: the copy's floor did not stay", got)
		}
		if u := wantOne[*wire.Update](again); u.From != 1 || len(u.Removed) != 1 {
			t.Fatalf("%+v", u)
		}
	})
}

// An owner whose log lost records answers from 0, with an older position and its own epoch. The
// gateway accepts this answer.
func TestOwnerThatWentBack(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		for range 5 {
			h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", int64(v)*10_000, 1, 1) })
		}
		c := h.connect()
		c.subscribe("")
		if u := wantOne[*wire.Update](c); len(u.Cells) != 5 {
			t.Fatalf("%+v", u)
		}
		h.feed.mu.Lock()
		old := h.feed.boards[checkout]
		delete(h.feed.boards, checkout)
		b := h.feed.board(checkout)
		b.epoch, b.subs = old.epoch+7, old.subs
		h.feed.mu.Unlock()
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "FR", 0, 2, 2) })
		if g := wantOne[*wire.Gap](c); g.Why != wire.WhyEpoch {
			t.Fatalf("%+v", g)
		}
		if u := wantOne[*wire.Update](c); u.From != 0 || u.To != 1 || len(u.Cells) != 1 {
			t.Fatalf("%+v", u)
		}
	})
}

// All promises of this package also hold with a link between the gateway and the owner.
func TestOverALink(t *testing.T) {
	if *overLink {
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), self, "-link", "-test.timeout=5m").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
