package actors

import (
	"context"
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

// timeless is a log that gives no time to records but ticks.
type timeless struct{ eventlog.Log }

func (l timeless) Read(partition int, after messages.Position) (eventlog.Reader, error) {
	r, err := l.Log.Read(partition, after)
	return timelessReader{r}, err
}

type timelessReader struct{ eventlog.Reader }

func (r timelessReader) Next(ctx context.Context, limit int) ([]messages.Record, error) {
	records, err := r.Reader.Next(ctx, limit)
	for i := range records {
		if records[i].Kind != messages.KindTick {
			records[i].Append = messages.Unstamped
		}
	}
	return records, err
}

// Where the log gives no time, ticks move log time: one for the records that came, and none in silence.
func TestTicksStandForTheLogsTime(t *testing.T) {
	t.Parallel()
	n := newNode(t, func(c *Config) { c.Log = timeless{c.Log} })
	ticks := func() float64 { return n.metric("dashfeed_records_total", "tick") }
	for want := 1.0; want <= 2; want++ {
		n.append(event1("d", "m", 1), event1("d", "m", 2))
		n.until("a tick", func() bool { return ticks() >= want })
		if got := ticks(); got != want {
			t.Fatalf("%v ticks, want %v", got, want)
		}
	}
	shard := n.shard(n.home("d"))
	n.until("log time", func() bool { return shard.logTime.Load() > at })
	saved := n.metric("dashfeed_checkpoints_total", "written")
	n.host.Own(n.home("d"), false)
	n.append(event1("d", "m", 3))
	n.until("checkpoints", func() bool { return n.metric("dashfeed_checkpoints_total", "written") >= saved+2 })
	if got := ticks(); got != 2 {
		t.Errorf("%v ticks of a standby", got-2)
	}
}
