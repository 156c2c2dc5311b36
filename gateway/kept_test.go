package gateway

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// crowd makes a dashboard with many cells, and one client with different views of it.
func crowd(t *testing.T, h *testGateway, views int) (cellsOf int) {
	t.Helper()
	const groups = 500
	h.step(func(b *board, v uint64) {
		for i := range groups {
			b.put(v, panelRPS, fmt.Sprintf("g-%d-%s", i, strings.Repeat("x", 40)), 0, float64(i), 1)
		}
	})
	c := h.connect()
	for i := range views {
		c.send(fmt.Sprintf(`{"type":"subscribe","id":%d,"dashboard":"checkout","panels":["rps"],"groups":[["g-%d-%s"],["no%d"]]}`, i, i, strings.Repeat("x", 40), i))
		wantOne[*wire.Subscribed](c)
		wantOne[*wire.Update](c)
	}
	all := h.connect()
	all.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
	wantOne[*wire.Subscribed](all)
	return len(wantOne[*wire.Update](all).Cells)
}

// TestSilentDashboardsKeepNoFrames: once no new client comes, only the cells of a dashboard without
// changes are kept. Later clients get the same.
func TestSilentDashboardsKeepNoFrames(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		cells := crowd(t, h, 50)
		kept := &h.srv.mirrors.kept.held
		before := kept.Load()
		if before < 40*500 {
			t.Errorf("%d bytes are kept of a dashboard of %d cells that is looked at: not what is meant", before, cells)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		t.Logf("%d bytes of frames and changes while it was sent, %d three seconds later", before, kept.Load())
		if n := kept.Load(); n != 0 {
			t.Errorf("%d bytes are kept of a silent dashboard", n)
		}
		late := h.connect()
		late.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
		wantOne[*wire.Subscribed](late)
		if n := len(wantOne[*wire.Update](late).Cells); n != cells {
			t.Errorf("who came later got %d cells, want %d", n, cells)
		}
	})
}

// TestKeptFramesHaveABudget: frames that find no room are made for each session, and all sessions
// get the right frames.
func TestKeptFramesHaveABudget(t *testing.T) {
	const most = 20_000
	inBubble(t, Config{Mirrors: Mirrors{FrameBytes: most}}, func(t *testing.T, h *testGateway) {
		if cells := crowd(t, h, 100); cells != 500 {
			t.Errorf("%d cells came, want 500", cells)
		}
		if n := h.srv.mirrors.kept.held.Load(); n <= 0 || n > most {
			t.Errorf("%d bytes are kept, at most %d are allowed", n, most)
		}
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "new", 0, 1, 1) })
		c := h.connect()
		c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
		wantOne[*wire.Subscribed](c)
		wantOne[*wire.Update](c)
	})
}

// TestKeptBytesComeBack: sessions that leave, and mirrors that end, give back what was kept.
func TestKeptBytesComeBack(t *testing.T) {
	inBubble(t, Config{Mirrors: Mirrors{Linger: time.Second}}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		c := h.connect()
		c.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
		wantOne[*wire.Subscribed](c)
		wantOne[*wire.Update](c)
		for range 20 {
			h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, float64(v), 1) })
			wantOne[*wire.Update](c)
		}
		if err := c.ws.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if held, n := h.srv.mirrors.kept.held.Load(), h.srv.mirrors.len(); held != 0 || n != 0 {
			t.Errorf("%d bytes are kept, of %d mirrors", held, n)
		}
	})
}
