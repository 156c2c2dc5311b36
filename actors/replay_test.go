package actors

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// slow is a log whose readers are slow and can be made to fail.
type slow struct {
	eventlog.Log
	delay  atomic.Int64
	breaks atomic.Int32 // how many of the next calls of Next fail
}

func (l *slow) Read(partition int, after messages.Position) (eventlog.Reader, error) {
	r, err := l.Log.Read(partition, after)
	return &slowReader{r, l}, err
}

type slowReader struct {
	eventlog.Reader
	log *slow
}

func (r *slowReader) Next(ctx context.Context, limit int) ([]messages.Record, error) {
	if !eventlog.Pause(ctx, time.Duration(r.log.delay.Load())) {
		return nil, ctx.Err()
	}
	if r.log.breaks.Add(-1) >= 0 {
		return nil, fmt.Errorf("%w: the test breaks it off", eventlog.ErrUnreachable)
	}
	return r.Reader.Next(ctx, limit)
}

// newSlow returns a node over such a log.
func newSlow(t *testing.T, change func(*Config)) (*node, *slow) {
	log := &slow{}
	return newNode(t, func(c *Config) {
		log.Log, c.Log = c.Log, log
		c.CheckpointEvery = time.Second
		if change != nil {
			change(c)
		}
	}), log
}

// A replay of a history waits for a log that is slow or fails. Nothing is missing afterwards, and
// no record is set aside that does not panic.
func TestAReplayWaitsForASlowLog(t *testing.T) {
	for _, delay := range []time.Duration{0, silence - time.Millisecond, silence + time.Second, 20 * time.Second} {
		for _, breaks := range []int32{0, 3} {
			t.Run(fmt.Sprint(delay, " and breaks off ", breaks, " times"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, log := newSlow(t, func(c *Config) { c.CheckpointEvery = time.Hour })
					n.append(n.define("d", 1, boomPanels), event1("d", "m", 1), event1("d", "m", 2))
					n.read("d")
					n.append(event1("d", "m", poison), event1("d", "m", 3))
					log.delay.Store(int64(delay))
					log.breaks.Store(breaks)
					time.Sleep(10 * time.Minute)
					log.delay.Store(0)
					if r := n.read("d"); r.Counters.Accepted != 3 || r.Counters.SetAside != 1 {
						t.Errorf("%d events are accepted and %d set aside, want 3 and 1", r.Counters.Accepted, r.Counters.SetAside)
					}
					n.compare()
				})
			})
		}
	}
}

// The same when the history is folded again because its checkpoint is corrupt.
func TestACorruptDashboardWaitsForASlowLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, log := newSlow(t, nil)
		n.append(event1("d", "m", 1), event1("d", "m", 2))
		n.stop(t.Context())
		if n.damage(bodies, any_) == 0 {
			t.Fatal("nothing was damaged")
		}
		log.delay.Store(int64(3 * time.Second))
		n.open()
		n.launch()
		n.append(event1("d", "m", 3))
		time.Sleep(time.Minute)
		log.delay.Store(0)
		time.Sleep(time.Minute)
		if r := n.read("d"); r.Counters.Accepted != 3 {
			t.Errorf("%d events are accepted, want 3", r.Counters.Accepted)
		}
		n.compare()
	})
}

// A slow log delays neither Stop nor a drop.
func TestAReplayEndsWithItsShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, log := newSlow(t, nil)
		n.append(n.define("d", 1, boomPanels), event1("d", "m", 1))
		n.read("d")
		n.append(event1("d", "m", poison))
		log.delay.Store(int64(time.Hour))
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_ = n.host.Stop(ctx)
		n.host.runners.Wait()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("Stop took %v", took)
		}
		log.delay.Store(0)
		n.stop(t.Context())
		n.start()
		n.read("d")
		n.compare()
	})
}

// If the log has lost the whole history, nothing of it ever comes. A record behind the end of the
// history then ends the replay.
func TestALogWithNothingLeftEndsAReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &shortened{}
		n := newNode(t, func(c *Config) { log.Log, c.Log = c.Log, log })
		last := n.append(event1("d", "m", 1), event1("d", "m", 2))[1]
		n.stop(t.Context())
		n.damage(bodies, any_)
		n.start()
		last.Position.Lo++
		log.cut(last)
		began := time.Now()
		n.read("d")
		if took := time.Since(began); took > 2*silence {
			t.Errorf("the reading took %v", took)
		}
		if got := n.ticks("d"); got != 1 {
			t.Errorf("%d ticks, want 1 that ends the replay", got)
		}
		if n.metric("dashfeed_histories_truncated_total", "") == 0 {
			t.Error("it is not told")
		}
	})
}

// However many dashboards are corrupt, the log is read again only a few times.
func TestCorruptDashboardsShareReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const dashboards = 128
		n, log := newSlow(t, nil)
		var entries []eventlog.Entry
		for i := 0; len(entries) < dashboards; i++ {
			if name := fmt.Sprint("d", i); n.home(name) == 0 {
				entries = append(entries, event1(name, "m", 1))
			}
		}
		n.append(entries...)
		n.restart()
		n.stop(t.Context())
		if n.damage(bodies, any_) < dashboards {
			t.Fatal("too few were damaged")
		}
		n.start()
		log.delay.Store(int64(time.Second))
		n.append(entries...)
		time.Sleep(time.Minute)
		log.delay.Store(0)
		for _, e := range entries {
			if r := n.read(e.Key.Dashboard); r.Counters.Accepted != 2 {
				t.Fatalf("%s has %d events, want 2", e.Key.Dashboard, r.Counters.Accepted)
			}
		}
		if got := n.host.tallies.replays.Load(); got > 4 {
			t.Errorf("the log was read again %d times for %d dashboards", got, dashboards)
		}
		n.compare()
	})
}
