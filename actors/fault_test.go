package actors

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// broken holds messages that the package never sends, for each kind of actor and goroutine of a
// shard. Handling one is a fault.
var broken = map[string]func(n *node, number int){
	"the shard's actor": func(n *node, number int) { n.shard(number).tell(&asking{}) },
	"a dashboard's actor": func(n *node, number int) {
		synctest.Wait() // the actor is idle now, so its table may be read
		s := n.shard(number)
		n.host.root.Send(s.entries[key("d")].pid, &run{})
	},
	"a goroutine": func(n *node, number int) {
		s := n.shard(number)
		s.spawn(&s.work, "the test", func() { panic("broken") })
	},
}

// A panic outside a fold causes only a short interruption: the shard is loaded again, its viewers
// stay, nothing counts twice and nothing is lost.
func TestAFaultLoadsTheShardAgain(t *testing.T) {
	for who, breaks := range broken {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, everySecond)
				number := n.home("d")
				n.append(event1("d", "m", 1))
				m := n.subscribe("d")
				m.untilVersion(1)
				m.sub.Ask(feed.Place{Epoch: m.epoch, Version: 1})
				breaks(n, number)
				time.Sleep(10 * time.Millisecond)
				if n.claimed(number) == messages.Live {
					t.Error("it claims to be live")
				}
				n.append(event1("d", "m", 2))
				time.Sleep(5 * time.Second)
				if n.claimed(number) != messages.Live {
					t.Errorf("claims %v", n.host.Claims())
				}
				if u := m.take(); u.To != 2 {
					t.Errorf("the viewer is at version %d, want 2", u.To)
				}
				if got := n.metric("dashfeed_shard_faults_total", ""); got != 1 {
					t.Errorf("%v faults are counted", got)
				}
				m.sub.Close()
				n.compare()
			})
		})
	}
}

// A shard with repeated faults fails with a reason, claims nothing, and can be loaded again. Stop
// returns.
func TestFaultsAreBounded(t *testing.T) {
	for who, breaks := range broken {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, everySecond)
				number := n.home("d")
				n.append(event1("d", "m", 1))
				for range mostFaults + 1 {
					n.read("d") // the shard is live, and d is awake
					breaks(n, number)
					time.Sleep(30 * time.Second)
				}
				if err := n.host.Troubles(); err == nil || !strings.Contains(err.Error(), "faults") {
					t.Errorf("after %d faults: %v", mostFaults+1, err)
				}
				if got := n.claimed(number); got != 0 {
					t.Errorf("it claims %s", got)
				}
				if _, err := n.host.Read(t.Context(), key("d"), feed.Query{}); err == nil {
					t.Error("it is read")
				}
				n.check(n.host.Retry(t.Context(), number))
				if r := n.read("d"); r.Counters.Accepted != 1 {
					t.Errorf("after the load %d events", r.Counters.Accepted)
				}
				n.compare()
			})
		})
	}
}

// Old faults do not count any more.
func TestFaultsAreForgotten(t *testing.T) {
	p, now := &assignment{}, time.Hour
	for range 3 * mostFaults {
		if _, refused := p.faulted(feed.ErrStarting, now); refused != nil {
			t.Fatal(refused)
		}
		now += faultMemory + time.Second
	}
}

// A panic while a dashboard is loaded affects that dashboard only.
func TestALoadThatPanicsCostsItsDashboardOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		n.append(n.define("d", 1, "panels: [{id: p, window: {count: 100}, aggregates: [count, fragile]}]"), event1("d", "m", 1), event1("other", "m", 1))
		n.read("d")
		n.stop(t.Context())
		fragile.Store(true)
		defer fragile.Store(false)
		n.start()
		n.append(event1("d", "m", 2), event1("other", "m", 2))
		if _, err := n.host.Read(t.Context(), key("d"), feed.Query{}); err != errLost {
			t.Errorf("reading it: %v", err)
		}
		if r := n.read("other"); r.Counters.Accepted != 2 {
			t.Errorf("the other dashboard has %d events", r.Counters.Accepted)
		}
		time.Sleep(20 * time.Second)
		if n.claimed(0) != messages.Live || n.claimed(1) != messages.Live || n.metric("dashfeed_shard_faults_total", "") != 0 {
			t.Errorf("claims %v", n.host.Claims())
		}
	})
}

// A shard that has work and makes no progress reports this, claims nothing and does not act as an
// owner until it makes progress.
func TestAStuckShardClaimsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, everySecond)
		number := n.home("d")
		release := n.blockFold("d")
		time.Sleep(stuckAfter - time.Second)
		if n.claimed(number) != messages.Loading || n.host.Troubles() != nil {
			t.Errorf("claims %v, ready: %v", n.host.Claims(), n.host.Troubles())
		}
		time.Sleep(2 * time.Second)
		if got := n.claimed(number); got != 0 {
			t.Errorf("it claims %s", got)
		}
		if n.claimed(1-number) != messages.Live {
			t.Errorf("the other shard claims %s", n.claimed(1-number))
		}
		if err := n.host.Troubles(); err == nil || !strings.Contains(err.Error(), errStuck.Error()) {
			t.Errorf("ready: %v", err)
		}
		if got := n.metric("dashfeed_shards", "stuck"); got != 1 {
			t.Errorf("%v shards are counted as stuck", got)
		}
		release()
		time.Sleep(3 * time.Second)
		if n.claimed(number) != messages.Live || n.host.Troubles() != nil {
			t.Errorf("afterwards: claims %v, ready: %v", n.host.Claims(), n.host.Troubles())
		}
	})
}

// A slow shard is not stuck.
func TestASlowShardIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, everySecond)
		n.sluggish("d", 1000)
		for range 45 {
			time.Sleep(time.Second)
			if n.claimed(n.home("d")) == 0 {
				t.Fatal("it claims nothing")
			}
		}
	})
}

// sluggish appends events of a dashboard, each of which takes 50 ms to fold. They come in one
// append, so that the shard has whole batches in flight. If they came one by one, the shard could
// have read four batches of a few events each, which are folded soon.
func (n *node) sluggish(dashboard string, events int) {
	n.Helper()
	entries := []eventlog.Entry{n.define(dashboard, 1, "panels: [{id: p, window: {count: 100000}, aggregates: [count, sluggish]}]")}
	for range events {
		entries = append(entries, event1(dashboard, "m", block))
	}
	n.append(entries...)
}

// However slow a fold is, what is under way ends after the record that is being folded: at Stop's
// deadline, when the shard is dropped, and while it is loaded. The next start folds what was cut
// short.
func TestASlowFoldHoldsUpNothing(t *testing.T) {
	const soon = 200 * time.Millisecond
	for name, end := range map[string]func(n *node){
		"stop": func(n *node) {
			ctx, cancel := context.WithTimeout(n.Context(), time.Second)
			defer cancel()
			if err := n.host.Stop(ctx); err == nil {
				n.Error("all was folded")
			}
		},
		"drop": func(n *node) {
			n.host.Drop(n.home("d"))
			time.Sleep(soon)
			n.host.mu.Lock()
			if n.host.assignments[n.home("d")] != nil {
				n.Error("the assignment is not free")
			}
			n.host.mu.Unlock()
		},
		"stop at once": func(n *node) {
			gone := ended(n.Context())
			_ = n.host.Stop(gone)
		},
	} {
		for _, loading := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNode(t, everySecond)
					n.sluggish("d", 2000)
					if loading {
						gone := ended(t.Context())
						n.stop(gone)
						n.open()
						n.launch()
					}
					time.Sleep(2 * time.Second)
					host, began := n.host, time.Now()
					end(n)
					if name != "drop" {
						host.runners.Wait()
					}
					if took := time.Since(began); took > time.Second+soon {
						t.Errorf("it took %v", took)
					}
					n.stop(t.Context())
					n.open()
					n.launch()
					time.Sleep(5 * time.Minute)
					if r := n.read("d"); r.Counters.Accepted != 2000 {
						t.Errorf("%d events are accepted", r.Counters.Accepted)
					}
					n.compare()
				})
			})
		}
	}
}

// Stop returns and names the shards that are left, even if a fold never returns.
func TestStopReturnsThoughAFoldDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		release := n.blockFold("d")
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := n.host.Stop(ctx)
		if took := time.Since(began); took > time.Second+stopGrace {
			t.Errorf("it took %v", took)
		}
		if want := fmt.Sprint("busy with a record: [", n.home("d"), "]"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		gone := ended(t.Context())
		if err := n.host.Stop(gone); err == nil {
			t.Error("a second Stop says that all has ended")
		}
		release()
		n.check(n.host.Stop(t.Context())) // joins what was left
		n.check(n.host.Stop(gone))        // nothing is left
	})
}

// Memory is returned to the system without blocking the beat, and not twice at the same time.
func TestMemoryIsGivenBackBesideTheBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nil)
		c := n.host.config
		c.Metrics = nil
		h, err := New(c)
		n.check(err)
		let, calls := make(chan struct{}), 0
		h.free = func() { calls++; <-let }
		h.giveBack()
		h.giveBack()
		synctest.Wait()
		if calls != 1 {
			t.Errorf("%d are under way", calls)
		}
		close(let)
		h.beating.Wait()
		h.giveBack()
		h.beating.Wait()
		if calls != 2 {
			t.Errorf("%d calls, want 2", calls)
		}
	})
}
