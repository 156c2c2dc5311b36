package pulsar

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog"
)

// metrics holds what the log counts. The metrics cover the whole log: shards and tenants are too
// many for labels.
type metrics struct {
	registerer prometheus.Registerer
	registered []prometheus.Collector

	readRecords, readBytes         prometheus.Counter
	appendedRecords, appendedBytes prometheus.Counter
	appendSeconds                  prometheus.Histogram

	holes       *prometheus.CounterVec // by what was found
	addressed   prometheus.Counter
	misrouted   prometheus.Counter
	forwarded   prometheus.Counter
	unaddressed *prometheus.CounterVec // by reason
	reopened    *prometheus.CounterVec // by what
	problems    prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{registerer: r}
	counter := func(name, help string) prometheus.Counter {
		return m.register(prometheus.NewCounter(prometheus.CounterOpts{Name: "dashfeed_log_" + name, Help: help})).(prometheus.Counter)
	}
	vector := func(name, help, label string) *prometheus.CounterVec {
		return m.register(prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dashfeed_log_" + name, Help: help}, []string{label})).(*prometheus.CounterVec)
	}
	m.readRecords = counter("read_records_total", "Records read from the log.")
	m.readBytes = counter("read_bytes_total", "Payload bytes of records read from the log.")
	m.appendedRecords = counter("appended_records_total", "Records that the log has stored for this process.")
	m.appendedBytes = counter("appended_bytes_total", "Payload bytes of records that the log has stored for this process.")
	m.appendSeconds = m.register(prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "dashfeed_log_append_seconds", Help: "Time from an append to the broker's answer to all of it.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
	})).(prometheus.Histogram)
	m.holes = vector("holes_total", "Places where a partition's entries do not follow each other and were looked at, by what was found: marker (something of the broker's own), loss.", "found")
	m.addressed = counter("addressed_records_total", "Records of dashboards read where their producers put them: all but ticks, tenants' defaults and what was forwarded.")
	m.misrouted = counter("misrouted_records_total", "Those of them that lay in a partition which is not their dashboard's home, so that they are forwarded and written twice.")
	m.forwarded = counter("forwarded_records_total", "Records of partitions that were added to topics, stored at their dashboards' homes.")
	m.unaddressed = vector("unaddressed_records_total", "Messages in partitions that were added to topics that are refused, by reason: nobody lists them.", "reason")
	m.reopened = vector("reopened_total", "Readers and producers that broke off and were opened again.", "what")
	m.problems = m.register(prometheus.NewGauge(prometheus.GaugeOpts{Name: "dashfeed_log_problems", Help: "Problems found when topics and their policies were last checked."})).(prometheus.Gauge)
	return m
}

// register registers the metrics of one log per process. A second log counts too, but is not
// exported.
func (m *metrics) register(c prometheus.Collector) prometheus.Collector {
	if m.registerer == nil {
		return c
	}
	err := m.registerer.Register(c)
	if already := (prometheus.AlreadyRegisteredError{}); errors.As(err, &already) {
		return already.ExistingCollector
	}
	if err == nil {
		m.registered = append(m.registered, c)
	}
	return c
}

func (m *metrics) appended(receipts []eventlog.Receipt, entries []eventlog.Entry, took time.Duration) {
	m.appendSeconds.Observe(took.Seconds())
	records, bytes := 0, 0
	for i := range receipts {
		if !receipts[i].Position.IsZero() {
			records++
			bytes += len(entries[i].Payload)
		}
	}
	m.appendedRecords.Add(float64(records))
	m.appendedBytes.Add(float64(bytes))
}

func (m *metrics) close() {
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
}
