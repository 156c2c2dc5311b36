package actors

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/messages"
)

// sendShards sends the metrics of each shard, and the sums over all shards, including those that
// have ended.
func (c *collector) sendShards(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	awake, pending, waiting := 0, 0, 0
	// exists from the start, so that alerts can refer to it
	refused := map[string]uint64{"no_dashboard": 0}
	for _, r := range c.last {
		for reason, n := range r.refused {
			refused[reason] += n
		}
		n := strconv.Itoa(r.shard.number)
		gauge(c.position, float64(r.position.Lo), n)
		gauge(c.lag, float64(r.shard.lag())/1e3, n)
		awake += r.awake
		pending += r.pending
		waiting += r.waiting
	}
	for reason, n := range refused {
		gauge(c.refused, float64(n), reason)
	}
	states := map[string]int{"loading": 0, "live": 0, "behind": 0, "stuck": 0, "failed": 0, "owned": 0}
	subscriptions := 0
	for _, s := range c.host.held() {
		subscriptions += s.subscriptions()
		states[s.stateName()]++
		if s.owned.Load() {
			states["owned"]++
		}
		n := strconv.Itoa(s.number)
		if age, once := s.proofAge(); once {
			gauge(c.behind, age.Seconds(), n)
		}
		if lacking, known := s.lagRecords(); known {
			gauge(c.lacking, float64(lacking), n)
		}
		if at := s.view.Load().saved; at != 0 {
			gauge(c.age, (c.host.now() - at).Seconds(), n)
		}
	}
	t := &c.host.tallies
	for name, n := range states {
		gauge(c.shards, float64(n), name)
	}
	counter(c.loads, t.loads.Load(), "load")
	counter(c.loads, t.lives.Load(), "live")
	counter(c.loads, t.drops.Load(), "drop")
	ch <- prometheus.MustNewConstMetric(c.loading, prometheus.CounterValue, time.Duration(t.loading.Load()).Seconds())
	counter(c.replayed, t.replayed.Load())
	gauge(c.waiting, float64(waiting))
	counter(c.forwarded, t.forwarded.Load())
	counter(c.unroutable, t.unroutable.Load())
	counter(c.takenBack, t.takenBack.Load())
	counter(c.holes, t.holes.Load())
	gauge(c.awake, float64(awake), "awake")
	gauge(c.pending, float64(pending))
	gauge(c.subscriptions, float64(subscriptions))
	counter(c.checkpoints, t.checkpoints.Load(), "written")
	counter(c.checkpoints, t.failedCheckpoints.Load(), "failed")
	counter(c.panics, t.panics.Load())
	counter(c.faults, t.faults.Load())
	counter(c.corrupt, t.corrupt.Load())
	counter(c.truncate, t.truncated.Load())
	for _, k := range []messages.Kind{messages.KindEvent, messages.KindDefinition, messages.KindTick} {
		counter(c.records, t.records[k].Load(), k.String())
	}
}
