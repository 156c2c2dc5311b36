package actors

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

const quickPanels = "time: {bound: 0s, idle: 20ms, lateness: 50ms}\npanels: [{id: p, window: {tumbling: 10ms}}]"

// eventNow makes an event of this moment. Idling counts from its append time and from the end of
// its window.
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

// final reports whether the cells of all panels are final. There must be one cell each.
func final(t *testing.T, r feed.Reading, panels int) bool {
	t.Helper()
	windows, open := 0, 0
	for _, c := range r.Cells {
		if int(c.Panel) < panels { // the other panels hold the newest values, which are never final
			windows++
			if c.Revision == 0 {
				open++
			}
		}
	}
	if windows != panels {
		t.Fatalf("%d cells, want %d: %v", windows, panels, r.Cells)
	}
	return open == 0
}

// A window becomes final within a second of its time, whether or not anybody reads it: in a
// dashboard that is awake, in one that sleeps, and in one that slept when the process restarted. A
// sleeping dashboard is not woken for it. When no window waits, no tick is appended.
func TestAWindowBecomesFinalWithoutViewers(t *testing.T) {
	const panels = "panels: [{id: minute, window: {tumbling: 1m}}, {id: hour, window: {tumbling: 1h}}]"
	minute := time.Minute + 10*time.Second // the default of idle after the window's end
	hour := minute + 59*time.Minute
	for name, restarts := range map[string]bool{"in one life": false, "over restarts": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, func(c *Config) { c.CheckpointEvery, c.SleepAfter = time.Second, 5*time.Second })
				began := time.Now()
				n.append(n.define("d", 1, panels), eventNow("d"))
				for i, instant := range []time.Duration{minute, hour} {
					if restarts {
						n.restart()
					}
					time.Sleep(time.Until(began.Add(instant - time.Second)))
					if n.awake() != 0 {
						t.Error("it does not sleep")
					}
					time.Sleep(3 * time.Second)
					if n.awake() != 0 {
						t.Error("it was woken")
					}
					if got := n.ticks("d"); got != i+1 {
						t.Errorf("%d ticks after %v, want %d", got, instant, i+1)
					}
				}
				if r := n.read("d"); !final(t, r, 2) || r.To != 4 {
					t.Errorf("version %d: %v", r.To, r.Cells)
				}
				time.Sleep(2 * time.Hour)
				if got := n.ticks("d"); got != 2 {
					t.Errorf("%d ticks though nothing waits any more", got-2)
				}
				n.compare()
			})
		})
	}
}

// While a dashboard is awake its reader sees the same revision as a viewer, and the shard waits for
// the next instant.
func TestAReadingIsAsFinalAsAViewersView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil) // no dashboard is put to sleep
		n.append(n.define("watched", 1, "panels: [{id: p, window: {tumbling: 1m}}]"))
		n.append(n.define("d", 1, "panels: [{id: p, window: {tumbling: 1m}}]"), eventNow("d"), eventNow("watched"))
		m := n.subscribe("watched")
		m.untilVersion(2)
		time.Sleep(90 * time.Second)
		m.next()
		if r, v := n.read("d"), n.read("watched"); !final(t, r, 1) || r.To != m.set.Version() || r.To != v.To {
			t.Errorf("the reader sees %v, the viewer %v", r.Cells, m.set.Cells())
		}
		m.sub.Close()
	})
}

// An instant that nobody waits for any more, since its dashboard woke and moved on, causes no tick.
func TestAnInstantThatMovesBringsNoTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(c *Config) { c.CheckpointEvery, c.SleepAfter = time.Second, 5*time.Second })
		began := time.Now()
		event := func(at time.Duration) eventlog.Entry {
			e := eventNow("d")
			e.Payload = fmt.Appendf(nil, `{"dashboard":"d","metric":"m","value":1,"time":%d}`, began.Add(at).UnixMilli())
			return e
		}
		n.append(n.define("d", 1, "panels: [{id: p, window: {tumbling: 1h}}]"), event(0))
		time.Sleep(30 * time.Minute)
		n.append(event(20 * time.Minute)) // ten minutes late, so the window is final ten minutes later
		time.Sleep(time.Until(began.Add(time.Hour + 9*time.Minute)))
		if got := n.ticks("d"); got != 0 {
			t.Errorf("%d ticks", got)
		}
		time.Sleep(2 * time.Minute)
		if got := n.ticks("d"); got != 1 || n.awake() != 0 {
			t.Errorf("%d ticks, %d awake", got, n.awake())
		}
		if r := n.read("d"); !final(t, r, 1) {
			t.Errorf("%v", r.Cells)
		}
	})
}

// The record of another dashboard moves log time, and with it the deadlines of watched dashboards.
func TestDeadlinesFollowTheShardsLogTime(t *testing.T) {
	n := newNode(t, nil)
	other := n.neighbour("d")
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

// timeless is a log that gives no time to records other than ticks.
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

// ticks returns the number of ticks in the dashboard's shard.
func (n *node) ticks(dashboard string) (count int) {
	n.Helper()
	for _, r := range n.records(n.home(dashboard)) {
		if r.Kind == messages.KindTick {
			count++
		}
	}
	return count
}

// If the log gives no time, ticks move log time: one for the records that came, and none while
// nothing comes.
func TestTicksStandForTheLogsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(c *Config) { c.Log = timeless{c.Log} })
		for want := 1; want <= 2; want++ {
			n.append(event1("d", "m", 1), event1("d", "m", 2))
			time.Sleep(10 * time.Second)
			if got := n.ticks("d"); got != want {
				t.Fatalf("%v ticks, want %v", got, want)
			}
		}
		if got, now := n.shard(n.home("d")).view.Load().logTime, time.Now().UnixMilli(); got == 0 || got > now {
			t.Errorf("log time %d, the ticks were before %d", got, now)
		}
	})
}

// A standby appends none of the ticks of an owner, however long it waits. It appends them once it
// is the owner.
func TestAStandbyDoesNotTick(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"for windows":              nil,
		"for records without time": func(c *Config) { c.Log = timeless{c.Log} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, change)
				n.host.Own(n.home("d"), false)
				n.append(n.define("d", 1, quickPanels), eventNow("d"))
				m := n.subscribe("d")
				m.untilVersion(2)
				time.Sleep(10 * time.Second)
				if got := n.ticks("d"); got != 0 {
					t.Errorf("%d ticks of a standby", got)
				}
				n.host.Own(n.home("d"), true)
				time.Sleep(3 * time.Second)
				if n.ticks("d") == 0 {
					t.Error("no tick of the owner")
				}
				m.sub.Close()
			})
		})
	}
}
