package gateway

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/dashfeed/dashfeed/messages/event"
)

// ingestMetrics counts what comes in by HTTP.
type ingestMetrics struct {
	accepted prometheus.Counter
	refused  *prometheus.CounterVec // by reason
	bytes    prometheus.Counter
	requests *prometheus.CounterVec // by status
	taken    prometheus.Counter     // requests with status 202
	seconds  prometheus.Histogram
}

func newIngestMetrics(r prometheus.Registerer) *ingestMetrics {
	f := promauto.With(r)
	m := &ingestMetrics{
		accepted: f.NewCounter(prometheus.CounterOpts{Name: "dashfeed_ingest_accepted_total", Help: "Events that POST /v1/events stored in the log."}),
		refused:  f.NewCounterVec(prometheus.CounterOpts{Name: "dashfeed_ingest_refused_total", Help: "Events that POST /v1/events refused, by reason."}, []string{"reason"}),
		bytes:    f.NewCounter(prometheus.CounterOpts{Name: "dashfeed_ingest_bytes_total", Help: "Bytes of bodies read by POST /v1/events, inflated."}),
		requests: f.NewCounterVec(prometheus.CounterOpts{Name: "dashfeed_ingest_requests_total", Help: "Requests to POST /v1/events, by status."}, []string{"status"}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "dashfeed_ingest_seconds", Help: "Time from the head of a POST /v1/events to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
	}
	m.taken = m.requests.WithLabelValues(strconv.Itoa(http.StatusAccepted))
	for _, reason := range event.Reasons() {
		m.refused.WithLabelValues(reason) // exported from the start, at 0
	}
	return m
}

// answered counts the answer to a request.
func (m *ingestMetrics) answered(status int) {
	if status == http.StatusAccepted {
		m.taken.Inc()
		return
	}
	m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
}
