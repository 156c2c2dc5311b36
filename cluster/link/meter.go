package link

import "github.com/prometheus/client_golang/prometheus"

// meter is the link's metrics; labels are bounded by the kinds and the reasons.
type meter struct {
	registry    prometheus.Registerer
	bytes       *prometheus.CounterVec // direction, kind
	messages    *prometheus.CounterVec // direction, kind
	dropped     *prometheus.CounterVec // kind, reason
	connections prometheus.Gauge
	lost        prometheus.Counter
	unreached   prometheus.Counter
	panics      prometheus.Counter
}

func newMeter() *meter {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	one := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &meter{
		bytes:       vec("dashfeed_link_bytes_total", "Bytes of messages between nodes.", "direction", "kind"),
		messages:    vec("dashfeed_link_messages_total", "Messages between nodes.", "direction", "kind"),
		dropped:     vec("dashfeed_link_dropped_total", "Messages between nodes that were dropped.", "kind", "reason"),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "dashfeed_link_connections", Help: "Connections open to other nodes; three to each."}),
		lost:        one("dashfeed_link_lost_total", "Connections from or to other nodes that ended."),
		unreached:   one("dashfeed_link_unreached_total", "Attempts to reach another node that failed."),
		panics:      one("dashfeed_link_panics_total", "Connections closed since a message from another node made the link fail."),
	}
}

func (m *meter) sent(k Kind, n, bytes int) {
	m.messages.WithLabelValues("sent", k.String()).Add(float64(n))
	m.bytes.WithLabelValues("sent", k.String()).Add(float64(bytes))
}

func (m *meter) received(k Kind, bytes int) {
	m.messages.WithLabelValues("received", k.String()).Inc()
	m.bytes.WithLabelValues("received", k.String()).Add(float64(bytes))
}

func (m *meter) drop(k Kind, reason string, n int) {
	if n > 0 && bounds[k] != (bound{}) {
		m.dropped.WithLabelValues(k.String(), reason).Add(float64(n))
	}
}

func (m *meter) all() []prometheus.Collector {
	return []prometheus.Collector{m.bytes, m.messages, m.dropped, m.connections, m.lost, m.unreached, m.panics}
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

func (m *meter) unregister() {
	if m.registry != nil {
		m.registry.Unregister(m)
	}
}
