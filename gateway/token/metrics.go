package token

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics counts tokens.
type metrics struct {
	accepted prometheus.Counter
	cached   prometheus.Counter
	refused  *prometheus.CounterVec // by reason
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	m := &metrics{
		accepted: f.NewCounter(prometheus.CounterOpts{Name: "dashfeed_tokens_accepted_total", Help: "Tokens that were accepted."}),
		cached:   f.NewCounter(prometheus.CounterOpts{Name: "dashfeed_tokens_cached_total", Help: "Accepted tokens whose signature had been checked before."}),
		refused:  f.NewCounterVec(prometheus.CounterOpts{Name: "dashfeed_tokens_refused_total", Help: "Tokens that were refused, by reason."}, []string{"reason"}),
	}
	for _, reason := range Reasons() {
		m.refused.WithLabelValues(string(reason)) // exported from the start, at 0
	}
	return m
}

func (m *metrics) count(err error) {
	if err != nil {
		m.refused.WithLabelValues(string(Why(err))).Inc()
		return
	}
	m.accepted.Inc()
}
