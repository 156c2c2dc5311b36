package actors

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// A dashboard that was lost by a panic has all its records when it is loaded the next time, after a
// start or a sleep. This includes records that came while it was lost. It holds whether or not the
// dashboard was in a checkpoint before, and however often it is lost again.
func TestALostDashboardLacksNothing(t *testing.T) {
	for name, c := range map[string]struct {
		fresh bool // it was in no checkpoint when it was lost
		sick  int  // number of starts at which it is lost again
		wakes bool // it is loaded again after a sleep, not after a start
	}{
		"after a start":                     {},
		"that was in no checkpoint":         {fresh: true},
		"lost again and again":              {sick: 2},
		"in no checkpoint, and again":       {fresh: true, sick: 2},
		"after a sleep":                     {wakes: true},
		"in no checkpoint, after a sleep":   {fresh: true, wakes: true},
		"in no checkpoint, again and sleep": {fresh: true, sick: 1, wakes: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer faint.Store(false)
				n := newNode(t, func(c *Config) { c.CheckpointEvery, c.SleepAfter = time.Second, 5*time.Second })
				other := n.neighbour("d")
				events := uint64(0)
				more := func() {
					n.append(event1("d", "m", 1), event1(other, "m", 1))
					events++
					time.Sleep(3 * time.Second) // for one or two checkpoints
				}
				faint.Store(c.fresh)
				n.append(n.define("d", 1, "panels: [{id: p, window: {count: 100}, aggregates: [count, faint]}]"))
				for i := range 2 + c.sick {
					more()
					faint.Store(true)
					more()
					_, err := n.host.Read(t.Context(), key("d"), feed.Query{})
					if !errors.Is(err, errLost) {
						t.Fatalf("reading it: %v", err)
					}
					more()
					if i < c.sick {
						n.restart()
					}
				}
				faint.Store(false)
				if c.wakes {
					time.Sleep(20 * time.Second)
				} else {
					n.restart()
				}
				more()
				for _, k := range []string{"d", other} {
					if r := n.read(k); r.Counters.Accepted != events {
						t.Errorf("%s has %d events, want %d", k, r.Counters.Accepted, events)
					}
				}
				n.compare()
			})
		})
	}
}

// neighbour returns another dashboard of the same shard.
func (n *node) neighbour(dashboard string) string {
	n.Helper()
	for i := 0; ; i++ {
		if k := fmt.Sprint("o", i); n.home(k) == n.home(dashboard) {
			return k
		}
	}
}

func TestBehindComesBack(t *testing.T) {
	for _, c := range []struct {
		from  checkpoint.Marker
		state []byte
	}{
		{},
		{checkpoint.Marker{Position: messages.Position{Hi: 1, Lo: 2}}, []byte("state")},
		{checkpoint.Marker{Position: messages.Position{Hi: 1, Lo: 2}, State: []byte("marker")}, []byte("state")},
		{checkpoint.Marker{State: make([]byte, 300)}, nil},
	} {
		whole := appendBehind(nil, c.from, c.state)
		from, state, err := decodeBehind(whole)
		if err != nil || from.Position != c.from.Position || !bytes.Equal(from.State, c.from.State) || !bytes.Equal(state, c.state) {
			t.Errorf("%+v came back as %+v, %q, %v", c, from, state, err)
		}
		for cut := range len(whole) - len(c.state) {
			if _, _, err := decodeBehind(whole[:cut]); !errors.Is(err, checkpoint.ErrCorrupt) {
				t.Errorf("%d bytes of %d: %v", cut, len(whole), err)
			}
		}
	}
}
