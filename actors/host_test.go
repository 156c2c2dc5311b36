package actors

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

func TestViewerSeesWhatIsAppended(t *testing.T) {
	n := newNode(t, nil)
	n.append(event1("d", "m", 1))
	n.read("d")
	m := n.subscribe("d")
	if u := m.next(); u.From != 0 || u.To != 1 || u.Epoch == 0 {
		t.Fatalf("first answer from %d to %d, epoch %s", u.From, u.To, u.Epoch)
	}
	m.sub.Ask(feed.Place{Epoch: m.epoch, Version: m.set.Version()})
	n.append(event1("d", "m", 2))
	if u := m.take(); u.From != 1 || u.To != 2 {
		t.Fatalf("second answer from %d to %d", u.From, u.To)
	}
	n.append(event1("d", "m", 3), event1("d", "m", 4))
	m.untilVersion(4)
	if got := m.row(1); !strings.Contains(got, "{2 0 4 }") { // a count of 4
		t.Errorf("window is %s", got)
	}
	r := n.read("d")
	if r.To != 4 || r.Counters.Accepted != 4 || !r.Definition.Default || len(r.Cells) != m.set.Len() {
		t.Errorf("reading at %d, %d accepted, %d cells, default %v", r.To, r.Counters.Accepted, len(r.Cells), r.Definition.Default)
	}
	if m.excess.Load() != 0 {
		t.Error("an ask was answered twice")
	}
	n.compare()
}

func TestDashboardWithoutRecord(t *testing.T) {
	n := newNode(t, nil)
	if _, err := n.host.Read(t.Context(), key("d"), feed.Query{MustExist: true}); !errors.Is(err, feed.ErrUnknown) {
		t.Fatalf("reading gives %v", err)
	}
	if r := n.read("d"); r.Epoch != 0 || r.To != 0 || len(r.Schema) != 2 || !r.Definition.Default {
		t.Fatalf("reading what need not exist gives %+v", r)
	}
	m := n.subscribe("d")
	if u := m.next(); u.Epoch != 0 || u.To != 0 || len(u.Cells) != 0 || len(u.Schema) != 2 {
		t.Fatalf("first answer is %+v", u)
	}
	m.sub.Ask(feed.Place{})
	if _, err := n.host.Read(t.Context(), key("d"), feed.Query{MustExist: true}); !errors.Is(err, feed.ErrUnknown) {
		t.Fatalf("reading gives %v", err)
	}
	if awake := n.awake(); awake != 0 {
		t.Errorf("%d actors", awake)
	}
	select {
	case u := <-m.updates:
		t.Fatalf("told a second time that there is nothing: %+v", u)
	default:
	}
	n.append(event1("d", "m", 1))
	if u := m.take(); u.Epoch == 0 || u.To != 1 {
		t.Fatalf("after the first record: %+v", u)
	}
	m.sub.Close()
	m.sub.Close()
}

func TestCloseEndsDelivery(t *testing.T) {
	n := newNode(t, nil)
	m := n.subscribe("d")
	n.append(event1("d", "m", 1))
	m.untilVersion(1)
	m.sub.Ask(feed.Place{Epoch: m.epoch, Version: 1})
	m.sub.Close()
	n.append(event1("d", "m", 2))
	n.read("d")
	select {
	case u := <-m.updates:
		t.Errorf("delivered %+v", u)
	default:
	}
}

func TestAskFromAnotherEpochStartsAtZero(t *testing.T) {
	n := newNode(t, nil)
	n.append(event1("d", "m", 1), event1("d", "m", 2))
	n.read("d")
	m := n.subscribe("d")
	m.sub.Ask(feed.Place{Epoch: 12345, Version: 1})
	if u := m.take(); u.From != 0 || u.To != 2 || u.Reset {
		t.Errorf("from %d to %d, reset %v", u.From, u.To, u.Reset)
	}
}

func TestReadAfter(t *testing.T) {
	n := newNode(t, nil)
	r := n.append(event1("d", "m", 1))[0]
	next := feed.After{Partition: r.Partition, Position: messages.Position{Lo: r.Position.Lo + 1}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := n.host.Read(ctx, key("d"), feed.Query{After: &next}); !errors.Is(err, feed.ErrNotInTime) {
		t.Errorf("before its time: %v", err)
	}
	got := make(chan uint64)
	go func() {
		r, _ := n.host.Read(t.Context(), key("d"), feed.Query{After: &next})
		got <- r.To
	}()
	n.append(event1("d", "m", 2))
	if v := <-got; v != 2 {
		t.Errorf("read at version %d", v)
	}
	next.Partition = 1 - next.Partition
	if _, err := n.host.Read(t.Context(), key("d"), feed.Query{After: &next}); !errors.Is(err, feed.ErrPartition) {
		t.Errorf("a position of another partition: %v", err)
	}
}

func TestDefinitionIsABreak(t *testing.T) {
	n := newNode(t, nil)
	n.append(event1("d", "m", 1))
	m := n.subscribe("d")
	m.untilVersion(1)
	before := m.epoch
	n.append(n.define("d", 1, "title: T\npanels: [{id: p, window: {tumbling: 10s}}]"))
	m.untilVersion(2)
	if m.epoch == before {
		t.Error("the epoch is the same")
	}
	r := n.read("d")
	if r.Definition.Default || r.Definition.Revision != 1 || len(r.Schema) != 1 {
		t.Errorf("in force: default %v revision %d, %d panels", r.Definition.Default, r.Definition.Revision, len(r.Schema))
	}
	d, err := n.host.Default(t.Context(), key("d"))
	n.check(err)
	if !d.Default || d.Hash == r.Definition.Hash {
		t.Errorf("the tenant's default is %+v", d)
	}
	n.compare()
}

func TestList(t *testing.T) {
	n := newNode(t, func(c *Config) { c.CheckpointEvery = time.Hour })
	for i := range 20 {
		n.append(event1(fmt.Sprintf("a%02d", i), "m", 1))
	}
	n.append(event1("b", "m", 1))
	n.restart() // the twenty-one dashboards are asleep, in the checkpoint
	n.append(event1("a05", "m", 2), event1("a205", "m", 1))
	n.read("a05")
	n.read("a205")
	m := n.subscribe("a99") // no record, so not listed
	m.next()
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          string
	}{
		{"", "", 3, "a00 a01 a02"},
		{"a", "a03", 3, "a04 a05 a06"},
		{"a2", "", 9, "a205"},
		{"", "a19", 9, "a205 b"},
		{"c", "", 9, ""},
	} {
		all, err := n.host.List(t.Context(), "default", c.prefix, c.after, c.limit)
		n.check(err)
		var names []string
		for _, s := range all {
			names = append(names, s.Key.Dashboard)
			if want := uint64(1); s.Key.Dashboard != "a05" && (s.Version != want || s.Panels != 2 || s.Epoch == 0) {
				t.Errorf("summary %+v", s)
			} else if s.Key.Dashboard == "a05" && s.Version != 2 {
				t.Errorf("summary of an awake dashboard is old: %+v", s)
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("list %q after %q limit %d: %s, want %s", c.prefix, c.after, c.limit, got, c.want)
		}
	}
	if all, _ := n.host.List(t.Context(), "other", "", "", 9); len(all) != 0 {
		t.Errorf("another tenant sees %v", all)
	}
}

// awake counts the actors of dashboards.
func (n *node) awake() int {
	families, err := n.metrics.Gather()
	n.check(err)
	for _, f := range families {
		if f.GetName() == "dashfeed_dashboards" {
			return int(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	n.Fatal("no metric dashfeed_dashboards")
	return 0
}

func TestSleepAndWakeLoseNothing(t *testing.T) {
	n := newNode(t, func(c *Config) {
		c.CheckpointEvery, c.SleepAfter, c.BatchRecords = 2*time.Millisecond, time.Millisecond, 7
	})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for i := range 400 {
				var entries []eventlog.Entry
				for range 1 + random.IntN(10) {
					entries = append(entries, event1(fmt.Sprint("d", random.IntN(60)), fmt.Sprint("m", random.IntN(3)), float64(i)))
				}
				if _, err := n.log.Append(t.Context(), entries); err != nil {
					t.Error(err)
				}
			}
		})
	}
	viewers := make([]*mirror, 5)
	for i := range viewers {
		viewers[i] = n.subscribe(fmt.Sprint("d", i))
	}
	writers.Wait()
	for i, m := range viewers {
		r := n.read(fmt.Sprint("d", i))
		m.untilVersion(r.To)
		if got, want := fmt.Sprint(m.set.Cells()), fmt.Sprint(r.Cells); got != want {
			t.Errorf("viewer of d%d has %s, want %s", i, got, want)
		}
		m.sub.Close()
	}
	n.until("all asleep", func() bool { return n.awake() == 0 })
	for i := range 60 {
		n.read(fmt.Sprint("d", i))
	}
	n.compare()
}

func TestRestartsFoldEveryRecordOnce(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			n := newNode(t, func(c *Config) {
				c.CheckpointEvery = time.Duration(1+random.IntN(10)) * time.Millisecond
				c.SleepAfter = time.Duration(1+random.IntN(20)) * time.Millisecond
				c.BatchRecords = 1 + random.IntN(100)
				c.Batches = 1 + random.IntN(4)
				c.MaxAwakePerShard = 4 + random.IntN(40)
			})
			gone := ended(t.Context())
			for range 8 {
				for i := range 1 + random.IntN(200) {
					n.append(event1(fmt.Sprint("d", random.IntN(50)), "m", float64(i)), event1(fmt.Sprint("d", random.IntN(50)), "m", 1))
				}
				if random.IntN(3) == 0 {
					n.append(n.define(fmt.Sprint("d", random.IntN(50)), 1, "panels: [{id: p, window: {count: 3}}]"))
				}
				if random.IntN(2) == 0 {
					n.stop(gone) // like a crash: no last checkpoint
					n.start()
				} else {
					n.restart()
				}
			}
			n.compare()
		})
	}
}
