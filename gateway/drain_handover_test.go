package gateway

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// mover is a client that follows the protocol: when it receives drain, it opens its next connection
// at the other gateway in its slot, continues from its place, and closes the old connection at the
// first frame of the new one.
type mover struct {
	view  wire.View
	moved time.Duration // time since start
	told  []string      // frames that no viewer should receive
}

func (m *mover) run(from, to *testGateway, start time.Time, last uint64) {
	old := from.connect()
	old.send(`{"type":"subscribe","id":1,"dashboard":"checkout"}`)
	for m.view.Place().Version < last {
		f := old.frame()
		d, ok := f.(*wire.Drain)
		if !ok {
			m.take(f)
			continue
		}
		slot := time.Now().Add(time.Duration(d.After+d.Within/2) * time.Millisecond)
		for time.Now().Before(slot) {
			m.take(old.frame()) // the old connection is served until then
		}
		next := to.connect()
		p := m.view.Place()
		next.send(fmt.Sprintf(`{"type":"subscribe","id":1,"dashboard":"checkout","since":{"epoch":%q,"version":%d,"view":%q}}`,
			p.Epoch.String(), p.Version, p.View.String()))
		m.take(next.frame())
		_ = old.ws.Close()
		old, m.moved = next, time.Since(start)
	}
	_ = old.ws.Close()
}

func (m *mover) take(f wire.Frame) {
	switch f := f.(type) {
	case *wire.Subscribed:
		if err := m.view.Subscribed(f); err != nil || m.view.Place().Version > 0 && !f.Resumed {
			m.told = append(m.told, fmt.Sprintf("not resumed: %s %v", wire.Encode(f), err))
		}
	case *wire.Update:
		if _, err := m.view.Apply(f); err != nil || f.From == 0 && m.view.Place().Version != f.To {
			m.told = append(m.told, fmt.Sprintf("does not fit: %s %v", wire.Encode(f), err))
		}
	case *wire.Connected:
	default:
		m.told = append(m.told, string(wire.Encode(f)))
	}
}

// While updates continue, every session of a gateway that drains moves to another gateway in its
// slot: no session is told a gap, none is closed, and all end with the feed's state.
func TestDrainUnderUpdatesLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newHouse(t, Config{Sessions: Sessions{DrainRate: 20}})
		defer a.shutdown()
		b := newHouse(t, Config{})
		defer b.shutdown()
		b.srv.cfg.Feed, b.srv.mirrors.cfg.Feed = a.feed, a.feed
		const movers, last = 100, 1_000
		start := time.Now()
		var feeding, moving sync.WaitGroup
		feeding.Go(func() {
			for i := range last {
				a.step(func(bo *board, v uint64) {
					bo.put(v, panelRPS, fmt.Sprint(i%7), int64(i/50*10_000), float64(i), 1)
					if i%200 == 199 {
						bo.remove(v, fmt.Sprintf("a/%d/", i%7))
					}
				})
				time.Sleep(10 * time.Millisecond)
			}
		})
		all := make([]*mover, movers)
		for i := range all {
			all[i] = &mover{}
			moving.Go(func() { all[i].run(a, b, start, last) })
		}
		time.Sleep(time.Second)
		if err := a.srv.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("100 sessions at 20 a second were away after %v", d)
		}
		moving.Wait()
		feeding.Wait()
		want := rows(a.feed.board(checkout).set.Cells())
		slots := map[time.Duration]int{}
		for i, m := range all {
			if len(m.told) > 0 || m.moved == 0 {
				t.Fatalf("session %d moved after %v and was told %v", i, m.moved, m.told)
			}
			slots[m.moved.Truncate(time.Second)]++
			if got := rows(m.view.Cells()); !slices.Equal(got, want) {
				t.Fatalf("session %d holds %d cells, want %d:\n%q\n%q", i, len(got), len(want), got, want)
			}
		}
		if len(slots) < 5 {
			t.Errorf("moved in %v, want five slots", slots)
		}
	})
}

// rows returns cells as text.
func rows(list []cells.Cell) (out []string) {
	for _, c := range list {
		out = append(out, fmt.Sprint(c.Number, c.Panel, c.Start, c.End, c.Group, c.Revision, string(wire.AppendRow(nil, c.Row))))
	}
	return out
}
