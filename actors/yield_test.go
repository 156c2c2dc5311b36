package actors

import (
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// A viewer that has seen more than the log has waits for it. After some seconds the viewer is told
// that it does not come.
func TestViewersWhoAreAhead(t *testing.T) {
	t.Parallel()
	n := newNode(t, nil)
	last := n.append(event1("d", "m", 1), event1("d", "m", 2))[1].Position
	epoch := n.read("d").Epoch
	far := messages.Position{Lo: last.Lo + 100}
	began := time.Now()
	places := map[string]feed.Place{
		"a version that the epoch has not": {Epoch: epoch, Version: 10, Position: far},
		"another epoch, further on":        {Epoch: 12345, Version: 1, Position: far},
	}
	viewers := map[string]*mirror{}
	for name, at := range places {
		viewers[name] = n.subscribe("d")
		viewers[name].sub.Ask(at)
	}
	unborn := n.subscribe("e")
	unborn.sub.Ask(feed.Place{Epoch: 12345, Version: 1, Position: messages.Position{Lo: 1 << 40}})
	soon := n.subscribe("d")
	soon.sub.Ask(feed.Place{Epoch: epoch, Version: 3, Position: messages.Position{Lo: last.Lo + 1}})
	n.append(event1("d", "m", 3), event1("d", "m", 4))
	if u := <-soon.updates; u.From != 3 || u.To != 4 || u.Reset {
		t.Errorf("who was ahead by one is told from %d to %d, reset %v", u.From, u.To, u.Reset)
	}
	for name, v := range viewers {
		u := v.take()
		if took := time.Since(began); u.From != 0 || u.To != 4 || u.Epoch != epoch || u.Reset != (places[name].Epoch == epoch) || took < patience {
			t.Errorf("%s: from %d to %d, epoch %s, reset %v after %v", name, u.From, u.To, u.Epoch, u.Reset, took)
		}
	}
	if u := unborn.take(); u.Epoch != 0 || u.To != 0 || time.Since(began) < patience {
		t.Errorf("a dashboard without record: epoch %s, to %d after %v", u.Epoch, u.To, time.Since(began))
	}
	if got := n.metric("dashfeed_viewers_taken_back_total", ""); got != 3 {
		t.Errorf("%v are counted", got)
	}
}
