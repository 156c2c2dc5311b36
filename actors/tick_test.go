package actors

import (
	"fmt"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

const quickPanels = "time: {bound: 0s, idle: 20ms, lateness: 50ms}\npanels: [{id: p, window: {tumbling: 10ms}}]"

// now makes an event of this moment: idling counts from its append time and the end of its window.
func eventNow(dashboard string) eventlog.Entry {
	return eventlog.Entry{
		Kind: messages.KindEvent, Key: key(dashboard),
		Payload: fmt.Appendf(nil, `{"dashboard":%q,"metric":"m","value":1,"time":%d}`, dashboard, time.Now().UnixMilli()),
	}
}

func TestTickMakesAWindowFinalInSilence(t *testing.T) {
	n := newNode(t, nil)
	n.append(n.define("d", 1, quickPanels), eventNow("d"))
	m := n.subscribe("d")
	m.untilVersion(2)
	for final := false; !final; {
		m.next()
		for _, c := range m.set.Cells() {
			final = final || c.Panel == 0 && c.Revision == 1
		}
	}
	if got := n.metric("dashfeed_records_total", "tick"); got == 0 || got > 5 {
		t.Errorf("%v ticks", got)
	}
	n.compare()
}

func TestNobodyWatchesNobodyTicks(t *testing.T) {
	n := newNode(t, nil)
	n.append(n.define("d", 1, quickPanels), eventNow("d"))
	m := n.subscribe("d")
	m.untilVersion(2)
	m.sub.Close()
	n.read("d")
	before := n.metric("dashfeed_records_total", "tick")
	shard := n.shard(n.home("d"))
	saved := n.metric("dashfeed_checkpoints_total", "written")
	n.append(eventNow("d"))
	n.until("beats", func() bool { return n.metric("dashfeed_checkpoints_total", "written") >= saved+2 })
	if after := n.metric("dashfeed_records_total", "tick"); after != before {
		t.Errorf("%v ticks with nobody watching shard %d", after-before, shard.number)
	}
}

// Another dashboard's record moves log time, and with it the deadlines of those who are watched.
func TestDeadlinesFollowTheShardsLogTime(t *testing.T) {
	n := newNode(t, nil)
	other := ""
	for i := 0; other == ""; i++ {
		if k := fmt.Sprint("o", i); n.home(k) == n.home("d") {
			other = k
		}
	}
	n.append(n.define("d", 1, quickPanels), eventNow("d"))
	m := n.subscribe("d")
	m.untilVersion(2)
	for v := m.set.Version(); m.set.Version() == v; {
		n.append(event1(other, "m", 1))
		m.sub.Ask(feed.Place{Epoch: m.epoch, Version: v})
		select {
		case u := <-m.updates:
			n.check(m.set.Apply(u.Update))
		case <-time.After(5 * time.Millisecond):
		}
	}
}
