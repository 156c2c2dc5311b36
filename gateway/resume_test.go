package gateway

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

func (c *client) subscribe(since string) *wire.Subscribed {
	c.t.Helper()
	if since != "" {
		since = `,"since":` + since
	}
	c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"` + since + `}`)
	return wantOne[*wire.Subscribed](c)
}

// How a session continues from a place.
func TestPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		since   string
		resumed bool
		frames  string // the frames after subscribed
	}{
		"none":             {``, false, "update 0-5"},
		"own":              {`{"epoch":"9f2c41d0","version":3,"view":"VIEW"}`, true, "update 3-5"},
		"without view":     {`{"epoch":"9f2c41d0","version":3}`, true, "update 3-5"},
		"newest":           {`{"epoch":"9f2c41d0","version":5,"view":"VIEW"}`, true, "update 5-6"},
		"zero":             {`{"epoch":"9f2c41d0","version":0,"view":"VIEW"}`, false, "update 0-5"},
		"another view":     {`{"epoch":"9f2c41d0","version":3,"view":"0000000000000001"}`, false, "update 0-5"},
		"another epoch":    {`{"epoch":"00000007","version":3,"view":"VIEW"}`, false, "update 0-5"},
		"too old":          {`{"epoch":"9f2c41d0","version":1,"view":"VIEW"}`, false, "gap retention, update 0-5"},
		"ahead, reached":   {`{"epoch":"9f2c41d0","version":6,"view":"VIEW"}`, true, "update 6-7"},
		"ahead, not":       {`{"epoch":"9f2c41d0","version":99,"view":"VIEW"}`, true, "gap ahead, update 0-7"},
		"ahead as can be":  {`{"epoch":"9f2c41d0","version":18446744073709551615,"view":"VIEW"}`, true, "gap ahead, update 0-7"},
		"epoch in capital": {`{"epoch":"9F2C41D0","version":3,"view":"VIEW"}`, true, "update 3-5"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
				step := func() { h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, float64(v), 1) }) }
				step()
				step()
				h.feed.board(checkout).set.Forget() // the floor is 2
				step()
				step()
				step()
				id := h.connect().subscribe("").View
				cl := h.connect()
				f := cl.subscribe(strings.ReplaceAll(c.since, "VIEW", id))
				if f.Resumed != c.resumed {
					t.Errorf("resumed %v, want %v", f.Resumed, c.resumed)
				}
				time.Sleep(time.Second)
				if c.resumed && c.frames != "update 3-5" {
					step()
					time.Sleep(time.Second)
					if c.frames != "update 5-6" {
						step()
					}
				}
				got := ""
				for got == "" || got[len(got)-1] == ' ' {
					switch f := cl.frame().(type) {
					case *wire.Gap:
						got += "gap " + f.Why + ", "
					case *wire.Update:
						got += fmt.Sprintf("update %d-%d", f.From, f.To)
					default:
						t.Fatalf("got %s", wire.Encode(f))
					}
				}
				if got != c.frames {
					t.Errorf("got %s, want %s", got, c.frames)
				}
			})
		})
	}
}

// A record that is set aside begins another epoch with the same view: the client is told a gap, and
// then gets everything from 0. A new definition is another view: the client gets subscribed again,
// without id, and then everything from 0.
func TestBreaks(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		first := c.subscribe("")
		wantOne[*wire.Update](c)
		h.step(func(b *board, v uint64) { b.shatter() })
		if g := wantOne[*wire.Gap](c); g.Why != wire.WhyEpoch || g.View != first.View {
			t.Fatalf("%+v", g)
		}
		if u := wantOne[*wire.Update](c); u.From != 0 || u.Epoch != 0x9f2c41d1 || len(u.Cells) != 1 {
			t.Fatalf("%+v", u)
		}
		h.step(func(b *board, v uint64) { b.shatter(); b.schema = b.schema[:1] })
		again := wantOne[*wire.Subscribed](c)
		if again.ID != nil || again.Was != first.View || again.Resumed || again.View == first.View || len(again.Schema) != 1 {
			t.Fatalf("%+v", again)
		}
		u := wantOne[*wire.Update](c)
		if u.From != 0 || u.Epoch != 0x9f2c41d2 || u.View.String() != again.View {
			t.Fatalf("%+v", u)
		}
		// The new view continues, and is known by its new name.
		c.send(`{"type":"set","id":7,"view":"` + again.View + `","maxRate":1}`)
		if f := wantOne[*wire.Subscribed](c); told(f.ID) != 7 || f.Was != "" || f.View != again.View {
			t.Fatalf("%+v", f)
		}
	})
}

// A thousand disconnects at random moments, with and without a new epoch in between: what a client
// has folded from snapshot and updates always equals the server's state at that version, and
// versions never go back within an epoch.
func TestResumeAlwaysGivesTheServersState(t *testing.T) {
	const disconnects = 1_000
	inBubble(t, Config{Limits: limitsOf(t, limits.Values{limits.ProcessSessions: 4})}, func(t *testing.T, h *testGateway) {
		rng := rand.New(rand.NewPCG(1, 2))
		states := map[string][]cells.Cell{} // by epoch and version
		note := func(b *board) { states[fmt.Sprint(b.epoch, b.set.Version())] = b.visible() }
		move := func() {
			h.step(func(b *board, v uint64) {
				b.time += 100
				randomStep(rng, b, v)
				note(b)
			})
		}
		move()
		var view wire.View
		resumed, gaps, from0 := 0, 0, 0
		for range disconnects {
			for range rng.IntN(12) {
				move()
			}
			if rng.IntN(100) == 0 {
				h.step(func(b *board, v uint64) { b.shatter(); note(b) })
			}
			if rng.IntN(50) == 0 {
				h.feed.mu.Lock()
				h.feed.board(checkout).set.Forget()
				h.feed.mu.Unlock()
			}
			c := h.connect()
			since := ""
			if p := view.Place(); !view.Empty() {
				since = fmt.Sprintf(`{"epoch":%q,"version":%d,"view":%q}`, p.Epoch, p.Version, p.View)
			}
			f := c.subscribe(since)
			if f.Resumed {
				resumed++
			}
			if err := view.Subscribed(f); err != nil {
				t.Fatal(err)
			}
			for range rng.IntN(6) {
				move()
				switch f := c.frame().(type) {
				case *wire.Gap:
					gaps++
					view.Gap()
				case *wire.Update:
					if f.From == 0 {
						from0++
					}
					before := view.Place()
					if _, err := view.Apply(f); err != nil {
						t.Fatal(err)
					}
					p := view.Place()
					if p.Epoch == before.Epoch && p.Version < before.Version {
						t.Fatalf("went back from %s to %s", before, p)
					}
					compare(t, view.Cells(), states[fmt.Sprint(p.Epoch, p.Version)], p)
				}
			}
			_ = c.ws.Close()
		}
		t.Logf("%d disconnects, %d resumed, %d gaps, %d from 0", disconnects, resumed, gaps, from0)
		if resumed < disconnects/2 || from0 == 0 {
			t.Errorf("too few resumed, or none from 0: the test shows nothing")
		}
	})
}

// randomStep changes a few cells at random. Some steps change nothing.
func randomStep(rng *rand.Rand, b *board, v uint64) {
	groups := []string{"DE", "FR", "", "__other__", "a\nb"}
	for range rng.IntN(4) {
		panel := uint16(rng.IntN(3))
		group, start := groups[rng.IntN(len(groups))], int64(rng.IntN(6))*10_000
		switch {
		case panel == panelNewest:
			b.newest(v, group, rng.Float64(), b.time, "")
		case rng.IntN(4) == 0:
			b.remove(v, string(rune('a'+panel))+"/"+group)
		case panel == panelRPS:
			b.put(v, panel, group, start, float64(rng.IntN(100)), rng.NormFloat64())
		default:
			b.put(v, panel, group, start, float64(rng.IntN(100)))
		}
	}
}

// visible returns the cells of the visible panels.
func (b *board) visible() (out []cells.Cell) {
	for _, c := range b.set.Cells() {
		if c.Panel != panelNewest {
			out = append(out, c)
		}
	}
	return out
}

// compare compares what a client can know, so no stamps.
func compare(t *testing.T, got, want []cells.Cell, at messages.Place) {
	t.Helper()
	plain := func(cs []cells.Cell) []string {
		out := make([]string, 0, len(cs))
		for _, c := range cs {
			row := wire.AppendRow(wire.AppendGroup(nil, c.Group), c.Row)
			out = append(out, fmt.Sprintf("%d: panel %d [%d,%d) %s revision %d", c.Number, c.Panel, c.Start, c.End, row, c.Revision))
		}
		return out
	}
	if g, w := plain(got), plain(want); !reflect.DeepEqual(g, w) {
		t.Fatalf("at %s\ngot  %q\nwant %q", at, g, w)
	}
}
