package link

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/stats"
)

// meter holds the link's metrics. The kinds and reasons bound the labels. gRPC reports every
// message to it.
type meter struct {
	registry    prometheus.Registerer
	bytes       *prometheus.CounterVec // direction, kind
	messages    *prometheus.CounterVec // direction, kind
	dropped     *prometheus.CounterVec // kind, reason
	connections prometheus.Gauge
	lost        prometheus.Counter
	unreached   prometheus.Counter
	panics      prometheus.Counter

	kinds map[string]*traffic
}

// traffic counts the messages of one kind.
type traffic struct {
	sent, sentBytes, received, receivedBytes prometheus.Counter
}

func newMeter() *meter {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	one := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &meter{
		bytes:       vec("dashfeed_link_bytes_total", "Bytes of messages between nodes.", "direction", "kind"),
		messages:    vec("dashfeed_link_messages_total", "Messages between nodes.", "direction", "kind"),
		dropped:     vec("dashfeed_link_dropped_total", "Messages between nodes that were dropped.", "kind", "reason"),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "dashfeed_link_connections", Help: "Other nodes that receive this node's beats."}),
		lost:        one("dashfeed_link_lost_total", "Streams of beats from or to other nodes that ended."),
		unreached:   one("dashfeed_link_unreached_total", "Attempts to reach another node that failed."),
		panics:      one("dashfeed_link_panics_total", "Streams that were closed because a message from another node made its handler panic."),
		kinds:       map[string]*traffic{},
	}
	for _, k := range []string{"beat", "feed", "other"} {
		m.kinds[k] = &traffic{
			m.messages.WithLabelValues("sent", k), m.bytes.WithLabelValues("sent", k),
			m.messages.WithLabelValues("received", k), m.bytes.WithLabelValues("received", k),
		}
	}
	return m
}

// drop counts a beat that was not sent.
func (m *meter) drop(reason string) { m.dropped.WithLabelValues("beat", reason).Inc() }

type kindKey struct{}

// TagRPC implements stats.Handler. The kind is the service's name after "dashfeed.".
func (m *meter) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	service, _, _ := strings.Cut(strings.TrimPrefix(info.FullMethodName, "/dashfeed."), "/")
	kind := m.kinds[service]
	if kind == nil {
		kind = m.kinds["other"]
	}
	return context.WithValue(ctx, kindKey{}, kind)
}

// HandleRPC implements stats.Handler.
func (m *meter) HandleRPC(ctx context.Context, s stats.RPCStats) {
	kind, _ := ctx.Value(kindKey{}).(*traffic)
	switch s := s.(type) {
	case *stats.OutPayload:
		kind.sent.Inc()
		kind.sentBytes.Add(float64(s.Length))
	case *stats.InPayload:
		kind.received.Inc()
		kind.receivedBytes.Add(float64(s.Length))
	}
}

// TagConn implements stats.Handler.
func (m *meter) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (m *meter) HandleConn(context.Context, stats.ConnStats) {}

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

func (m *meter) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	if err := r.Register(m); err != nil {
		return fmt.Errorf("register the metrics of the link: %w", err)
	}
	m.registry = r
	return nil
}

func (m *meter) unregister() {
	if m.registry != nil {
		m.registry.Unregister(m)
	}
}
