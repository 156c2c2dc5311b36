package token

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/sony/gobreaker/v2"
)

// metrics counts tokens.
type metrics struct {
	accepted prometheus.Counter
	cached   prometheus.Counter
	refused  *prometheus.CounterVec // by reason
	fetches  *prometheus.CounterVec // by result
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	m := &metrics{
		accepted: f.NewCounter(prometheus.CounterOpts{Name: "dashfeed_tokens_accepted_total", Help: "Tokens that were accepted."}),
		cached:   f.NewCounter(prometheus.CounterOpts{Name: "dashfeed_tokens_cached_total", Help: "Accepted tokens whose signature had been checked before."}),
		refused:  f.NewCounterVec(prometheus.CounterOpts{Name: "dashfeed_tokens_refused_total", Help: "Tokens that were refused, by reason."}, []string{"reason"}),
	}
	m.fetches = f.NewCounterVec(prometheus.CounterOpts{Name: "dashfeed_token_key_fetches_total", Help: "Fetches of key sets, by result: ok, failed, or held back by the circuit breaker."}, []string{"result"})
	for _, result := range []string{"ok", "failed", "breaker"} {
		m.fetches.WithLabelValues(result)
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

func (m *metrics) fetched(err error) {
	result := "ok"
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		result = "breaker"
	case err != nil:
		result = "failed"
	}
	m.fetches.WithLabelValues(result).Inc()
}
