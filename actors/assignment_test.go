package actors

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// claimed returns what the host claims of a shard; 0: nothing.
func (n *node) claimed(number int) messages.ClaimState {
	for _, c := range n.host.Claims() {
		if c.Shard == number {
			return c.State
		}
	}
	return 0
}

func TestDropAndLoadAgain(t *testing.T) {
	n := newNode(t, func(c *Config) { c.CheckpointEvery = time.Hour })
	n.append(event1("d", "m", 1))
	n.read("d")
	number := n.home("d")
	m := n.subscribe("d")
	m.untilVersion(1)
	n.host.Drop(number)
	n.host.Drop(number)
	<-m.sub.(feed.Ending).Ended()
	if got := n.claimed(number); got != 0 {
		t.Errorf("a dropped shard is claimed: %s", got)
	}
	if _, err := n.host.Subscribe(key("d"), m); !errors.Is(err, feed.ErrNotHere) {
		t.Errorf("subscribe: %v", err)
	}
	if _, err := n.host.Read(t.Context(), key("d"), feed.Query{}); !errors.Is(err, feed.ErrNotHere) {
		t.Errorf("read: %v", err)
	}
	m.sub.Ask(feed.Place{}) // nobody answers
	m.sub.Close()
	n.append(event1("d", "m", 2))
	n.host.Load(number)
	n.host.Load(number)
	n.until("live again", func() bool { return n.claimed(number) == messages.Live })
	if r := n.read("d"); r.To != 2 {
		t.Errorf("version %d", r.To)
	}
	if m.excess.Load() != 0 || len(m.updates) != 0 {
		t.Error("the old subscription was answered")
	}
}

// In any order of calls, the last one counts, and nothing remains of the others.
func TestLoadWhileTheDropIsUnderWay(t *testing.T) {
	n := newNode(t, nil)
	for i := range 50 {
		n.append(event1(fmt.Sprint("d", i), "m", 1))
	}
	for range 200 {
		n.host.Drop(0)
		n.host.Load(0)
		n.host.Drop(1)
	}
	n.host.Load(1)
	n.host.Own(0, true)
	n.host.Own(1, true)
	n.until("live", func() bool { return n.claimed(0) == messages.Live && n.claimed(1) == messages.Live })
	n.compare()
}

func TestASilentHostHoldsNothing(t *testing.T) {
	n := newNode(t, nil)
	n.host.Drop(0)
	n.host.Drop(1)
	n.host.Drop(99)
	n.host.Own(0, true)
	n.until("no shard is left", func() bool {
		n.host.mu.Lock()
		defer n.host.mu.Unlock()
		return len(n.host.assignments) == 0
	})
	if c := n.host.Claims(); len(c) != 0 {
		t.Errorf("claims %v", c)
	}
	if err := n.host.Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
}
