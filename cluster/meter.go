package cluster

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/messages"
)

// meter holds the cluster's metrics.
type meter struct {
	members   *prometheus.GaugeVec // role
	heard     prometheus.Gauge
	shards    *prometheus.GaugeVec // state
	sources   *prometheus.GaugeVec // state
	views     prometheus.Counter
	missed    prometheus.Counter
	malformed prometheus.Counter
	moves     *prometheus.CounterVec // kind
}

func newMeter() *meter {
	gauges := func(name, help, label string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
	}
	one := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &meter{
		members:   gauges("dashfeed_cluster_members", "Members in this process's view, including itself.", "role"),
		heard:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "dashfeed_cluster_members_heard", Help: "Other members whose beats arrive."}),
		shards:    gauges("dashfeed_cluster_shards", "Shards that this node should fold by rank (wanted), that it has (claimed), is live on (live), acts for (owned).", "state"),
		sources:   gauges("dashfeed_cluster_sources", "All shards, by whether a node is heard to serve them.", "state"),
		views:     one("dashfeed_cluster_view_changes_total", "Changes of the view: members that joined, left or changed."),
		missed:    one("dashfeed_cluster_silences_total", "Times that a member was silent for three beats."),
		malformed: one("dashfeed_cluster_beats_malformed_total", "Beats that could not be read."),
		moves:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dashfeed_cluster_moves_total", Help: "Shards that this node decided to load or to drop."}, []string{"kind"}),
	}
}

// look sets the gauges from the view.
func (m *meter) look(v *view, all []served, o orders) {
	nodes, gateways, heard := 0, 0, 0
	for _, o := range v.members {
		if o.roles.Has(NodeRole) {
			nodes++
		}
		if o.roles.Has(GatewayRole) {
			gateways++
		}
		if o != v.self && o.heard {
			heard++
		}
	}
	m.members.WithLabelValues("node").Set(float64(nodes))
	m.members.WithLabelValues("gateway").Set(float64(gateways))
	m.heard.Set(float64(heard))
	var claimed, live, owned, wanted int
	for _, c := range v.self.claims {
		if c.state != 0 {
			claimed++
		}
		if c.state == messages.Live {
			live++
		}
	}
	var by [3]int
	for shard, own := range o.own {
		if own {
			owned++
		}
		for i, r := range v.table.Of(shard) {
			if i >= v.replicas {
				break
			}
			if v.ranked[r] == v.self {
				wanted++
			}
		}
	}
	for _, s := range all {
		by[s.serving]++
	}
	for state, n := range map[string]int{"wanted": wanted, "claimed": claimed, "live": live, "owned": owned} {
		m.shards.WithLabelValues(state).Set(float64(n))
	}
	for _, s := range []Serving{Unheard, Loading, Live} {
		m.sources.WithLabelValues(s.String()).Set(float64(by[s]))
	}
}

func (m *meter) all() []prometheus.Collector {
	return []prometheus.Collector{m.members, m.heard, m.shards, m.sources, m.views, m.missed, m.malformed, m.moves}
}

// Describe implements prometheus.Collector.
func (m *meter) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *meter) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}
