package actors

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
)

// A stuck dashboard stops the reader at the credit. The reader continues where it was.
func TestCreditStopsTheReader(t *testing.T) {
	const batches, records = 3, 5
	n := newNode(t, func(c *Config) { c.Batches, c.BatchRecords = batches, records })
	release := n.blockFold("d")
	shard := n.shard(n.home("d"))
	n.until("stuck", func() bool { return len(gate) == 0 })
	for i := range 100 {
		n.append(event1("d", "m", float64(i)))
	}
	n.until("out of credit", func() bool { return len(shard.credit) == 0 && !shard.waiting.Load() })
	if got := shard.inflight.Load(); got != batches {
		t.Errorf("%d batches in flight, want %d", got, batches)
	}
	folded := n.metric("dashfeed_records_total", "event")
	if folded > batches*records {
		t.Errorf("%v records were read, the credit allows for %d", folded, batches*records)
	}
	if lag := n.host.Status(key("d")).Lag; lag < 0 {
		t.Errorf("lag %d", lag)
	}
	release()
	if r := n.read("d"); r.Counters.Accepted != 101 {
		t.Errorf("%d accepted", r.Counters.Accepted)
	}
	n.until("all credit back", func() bool { return len(shard.credit) == batches-1 || len(shard.credit) == batches })
}

// The reader waits while too many dashboards are awake, and no record is lost.
func TestAwakeDashboardsAreBounded(t *testing.T) {
	const most = 20
	n := newNode(t, func(c *Config) { c.MaxAwakePerShard, c.BatchRecords, c.CheckpointEvery = most, 4, time.Hour })
	for i := range 500 {
		n.append(event1(fmt.Sprint("d", i), "m", 1))
		if awake := n.awake(); awake > 2*(most+4) {
			t.Fatalf("%d awake", awake)
		}
	}
	for i := range 500 {
		n.read(fmt.Sprint("d", i))
	}
	n.compare()
}

// TestDashboardsOfAShardAreBounded: records of a dashboard beyond the bound are counted as refused,
// once. The other dashboards continue, also after a restart. A producer that asks before, or reads
// what it wrote, is told the bound.
func TestDashboardsOfAShardAreBounded(t *testing.T) {
	n := newNode(t, nil)
	partitions := n.log.Partitions()
	for p := range partitions {
		n.shard(p).population = fold.NewPopulation(1, 1)
	}
	const dashboards = 10
	for i := range dashboards {
		_, err := n.host.Room(t.Context(), key(fmt.Sprint("d", i)), fold.MaxTenantDashboards, 0)
		n.check(err)
	}
	last := map[int]feed.After{}
	for range 2 {
		for i := range dashboards {
			r := n.append(event1(fmt.Sprint("d", i), "m", 1))[0]
			last[i] = feed.After{Partition: r.Partition, Position: r.Position}
		}
	}
	admitted := 0
	for i := range dashboards {
		k, after := key(fmt.Sprint("d", i)), last[i]
		r, err := n.host.Read(t.Context(), k, feed.Query{After: &after, MustExist: true})
		_, room := n.host.Room(t.Context(), k, fold.MaxTenantDashboards, 0)
		if err == nil {
			admitted++
			if r.Update.To != 2 || room != nil {
				t.Errorf("%s is at version %d, want 2; room: %v", k, r.Update.To, room)
			}
			continue
		}
		_, some := n.host.Read(t.Context(), k, feed.Query{})
		for _, err := range []error{err, some, room} {
			if !errors.Is(err, feed.ErrCrowded) || !strings.Contains(err.Error(), "at most 1 are allowed") {
				t.Errorf("%s: %v, want the bound", k, err)
			}
		}
		if _, err := n.host.Read(t.Context(), k, feed.Query{MustExist: true}); !errors.Is(err, feed.ErrUnknown) {
			t.Errorf("%s: %v, want that there is none", k, err)
		}
	}
	if admitted != partitions {
		t.Errorf("%d dashboards have records, want one of each of %d shards", admitted, partitions)
	}
	n.restart()
	refused := uint64(0)
	for p := range partitions {
		m, _, err := n.store.Load(t.Context(), p)
		n.check(err)
		state, err := fold.DecodeShardState(m.State, table())
		n.check(err)
		refused += state.RefusedCounts()[fold.RefusedDashboards]
		s := n.shard(p)
		n.until("the shard is loaded", func() bool { return s.phase() == phaseLive })
		if got := s.population.Len(); got != 1 {
			t.Errorf("after a restart shard %d has %d dashboards, want 1", p, got)
		}
	}
	if want := uint64(2 * (dashboards - admitted)); refused != want {
		t.Errorf("%d records are refused, want %d", refused, want)
	}
}

// If viewers hold more dashboards open than the bound allows, these cannot be put to sleep, and the
// shard continues.
func TestSubscribedDashboardsDoNotStopTheShard(t *testing.T) {
	n := newNode(t, func(c *Config) { c.MaxAwakePerShard = 4 })
	var viewers []*mirror
	for i := range 30 {
		n.append(event1(fmt.Sprint("d", i), "m", 1))
		m := n.subscribe(fmt.Sprint("d", i))
		m.next()
		viewers = append(viewers, m)
	}
	for i, m := range viewers {
		n.append(event1(fmt.Sprint("d", i), "m", 2))
		m.untilVersion(2)
		m.sub.Close()
	}
}

// Asks of viewers that have left do not stay in an idle dashboard.
func TestAbandonedAsksAreForgotten(t *testing.T) {
	n := newNode(t, nil)
	n.append(event1("d", "m", 1))
	for range 100 {
		m := n.subscribe("d")
		m.untilVersion(1)
		m.sub.Ask(feed.Place{Epoch: m.epoch, Version: 1})
		m.sub.Close()
	}
	m := n.subscribe("d")
	m.untilVersion(1)
	shard := n.shard(n.home("d"))
	if got := shard.subscriptions(); got != 1 {
		t.Errorf("%d subscriptions", got)
	}
}

func TestLabelsOfMetricsAreBounded(t *testing.T) {
	n := newNode(t, nil)
	for i := range 300 {
		n.append(event1(fmt.Sprintf("d%03d", i), "m", 1))
	}
	for range 5 {
		n.append(event1("d250", "m", 1), event1("d251", "m", 1))
	}
	for i := range 300 {
		n.read(fmt.Sprintf("d%03d", i))
	}
	check := func(labels int, total, busiest float64) {
		t.Helper()
		all := n.labelled("dashboard_messages_processed_total")
		sum := 0.0
		for _, v := range all {
			sum += v
		}
		if len(all) != labels || sum != total || all["d250"] != busiest {
			t.Errorf("%d labels, sum %v, d250 %v, want %d, %v, %v", len(all), sum, all["d250"], labels, total, busiest)
		}
	}
	check(maxNamed+1, 310, 6)
	n.append(event1("d250", "m", 1))
	n.read("d250")
	check(maxNamed+1, 311, 7)
	for range 9 { // more than twice as busy as the idlest named dashboard
		n.append(event1("d299", "m", 1))
	}
	n.read("d299")
	check(maxNamed+1, 320, 7)
	if got := n.labelled("dashboard_messages_processed_total")["d299"]; got != 9 {
		t.Errorf("the newly busy one has %v", got)
	}
}

func TestClosedHostRefuses(t *testing.T) {
	n := newNode(t, nil)
	m := n.subscribe("d")
	host := n.host
	n.stop(t.Context())
	m.sub.Ask(feed.Place{})
	m.sub.Close()
	if _, err := host.Subscribe(key("d"), m); err != feed.ErrClosed {
		t.Errorf("subscribe: %v", err)
	}
	if _, err := host.Read(t.Context(), key("d"), feed.Query{}); err != feed.ErrClosed {
		t.Errorf("read: %v", err)
	}
	if err := host.Ready(); err != feed.ErrClosed {
		t.Errorf("ready: %v", err)
	}
}

// metric returns the value of a counter or gauge whose only label has the value label, or that has
// no label if label is "".
func (n *node) metric(name, label string) float64 {
	n.Helper()
	return n.labelled(name)[label]
}

func (n *node) labelled(name string) map[string]float64 {
	n.Helper()
	families, err := n.metrics.Gather()
	n.check(err)
	values := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			label := ""
			if len(m.GetLabel()) > 0 {
				label = m.GetLabel()[0].GetValue()
			}
			values[label] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

// TestRoomBelowTheBound: a tenant may have a lower bound of its own. What has a record is not
// refused by it.
func TestRoomBelowTheBound(t *testing.T) {
	n := newNode(t, nil)
	for i := range 40 { // some in each shard
		name := fmt.Sprint("d", i)
		r := n.append(event1(name, "m", 1))[0]
		if _, err := n.host.Read(t.Context(), key(name), feed.Query{After: &feed.After{Partition: r.Partition, Position: r.Position}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		dashboard    string
		most, coming int
		first        bool
		refused      bool
	}{
		{"d0", 1, 0, false, false},
		{"new", 1, 0, true, true},
		{"new", 100, 0, false, false}, // nobody is asked
		{"new", 100, 100, true, false},
		{"new", 0, 0, true, true},
	} {
		first, err := n.host.Room(t.Context(), key(c.dashboard), c.most, c.coming)
		if first != c.first || errors.Is(err, feed.ErrCrowded) != c.refused {
			t.Errorf("%+v: %v, %v", c, first, err)
		}
	}
}
