package gateway

import (
	"cmp"
	"slices"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/prometheus/client_golang/prometheus"
)

// stats holds a gateway's metrics.
type stats struct {
	frames, bytes, encodes prometheus.Counter
	errors, closes         *prometheus.CounterVec
	writes, ages           prometheus.Histogram
}

func newStats() *stats {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &stats{
		frames:  counter("dashfeed_frames_total", "Updates sent to sessions."),
		bytes:   counter("dashfeed_bytes_total", "Bytes written to sessions."),
		encodes: counter("dashfeed_encodes_total", "Updates encoded, each for all sessions of a cohort that share it."),
		errors:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dashfeed_errors_total", Help: "Messages of sessions refused, by word of the code."}, []string{"code"}),
		closes:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dashfeed_closes_total", Help: "Sessions closed by the gateway, by reason; \"slow write\" are slow clients."}, []string{"reason"}),
		writes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dashfeed_write_seconds", Help: "Time that one write to a session took.",
			Buckets: prometheus.ExponentialBuckets(10e-6, 10, 7),
		}),
		ages: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dashfeed_update_age_seconds", Help: "From the append of an update's newest record, by the log's clock, to this gateway's having it, by its own.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
	}
}

// register registers the metrics of the server.
func (s *Server) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	st := s.stats
	sessions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dashfeed_sessions", Help: "Open client connections."},
		func() float64 { return float64(s.Sessions()) })
	mirrors := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dashfeed_mirrors", Help: "Dashboards this gateway holds a copy of."},
		func() float64 { return float64(s.mirrors.len()) })
	views := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dashfeed_view_bytes", Help: "What views that name panels or groups take."},
		func() float64 { return float64(s.mirrors.budget.held.Load()) })
	frames := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dashfeed_kept_frame_bytes", Help: "What frames that are kept for sessions to share take."},
		func() float64 { return float64(s.mirrors.kept.held.Load()) })
	for _, c := range []prometheus.Collector{views, frames, st.frames, st.bytes, st.encodes, st.errors, st.closes, st.writes, st.ages, sessions, mirrors, &connections{s.mirrors, s.cfg.Mirrors.Named}} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// connections exports the number of subscriptions of each dashboard: the busiest by name, the rest
// as _other, so that the number of series is bounded.
type connections struct {
	mirrors *mirrors
	named   int
}

var connectionsDesc = prometheus.NewDesc("dashboard_active_connections",
	"Sessions that look at the dashboard; beyond the busiest, all together as _other.", []string{"dashboard_id"}, nil)

// Describe implements prometheus.Collector.
func (c *connections) Describe(ch chan<- *prometheus.Desc) { ch <- connectionsDesc }

// Collect implements prometheus.Collector.
func (c *connections) Collect(ch chan<- prometheus.Metric) {
	busy := c.mirrors.busy()
	other := 0
	for i, b := range busy {
		if i >= c.named {
			other += b.views
			continue
		}
		ch <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(b.views), b.key.Label())
	}
	if other > 0 {
		ch <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(other), "_other")
	}
}

// load is the number of subscriptions of a dashboard.
type load struct {
	key   messages.Key
	views int
}

// busy returns the load of every mirror, the busiest first.
func (ms *mirrors) busy() []load {
	ms.mu.Lock()
	loads := make([]load, 0, len(ms.byKey))
	for k, m := range ms.byKey {
		loads = append(loads, load{k, m.views})
	}
	ms.mu.Unlock()
	slices.SortFunc(loads, func(a, b load) int {
		return cmp.Or(cmp.Compare(b.views, a.views), a.key.Compare(b.key))
	})
	return loads
}

func (ms *mirrors) len() int {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return len(ms.byKey)
}
