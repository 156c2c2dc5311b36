package limits

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics counts refusals, and exports the limits and how far they are used.
type metrics struct {
	limited [count]prometheus.Counter
}

func newMetrics(l *Limits, r prometheus.Registerer) *metrics {
	m := &metrics{}
	limited := promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Name: "dashfeed_limited_total", Help: "What was refused or held back, by the limit that was reached.",
	}, []string{"limit"})
	for i := range Table {
		m.limited[i] = limited.WithLabelValues(Table[i].Name) // exported from the start, at 0
	}
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{Name: "dashfeed_limit_buckets", Help: "Token buckets in memory."},
		func() float64 { return float64(l.buckets.EstimatedSize()) })
	if r != nil {
		r.MustRegister(&current{l})
	}
	return m
}

// current exports the values of the limits, and of every cap what the one holds who holds most.
type current struct{ l *Limits }

var (
	valueDesc = prometheus.NewDesc("dashfeed_limit", "The server's value of the limit; +Inf if there is none.", []string{"limit"}, nil)
	usedDesc  = prometheus.NewDesc("dashfeed_limit_used", "Of limits on a number: what the one has who has most of it.", []string{"limit"}, nil)
)

// Describe implements prometheus.Collector.
func (c *current) Describe(ch chan<- *prometheus.Desc) {
	ch <- valueDesc
	ch <- usedDesc
}

// Collect implements prometheus.Collector.
func (c *current) Collect(ch chan<- prometheus.Metric) {
	var used [count]int64
	c.l.mu.Lock()
	for k, n := range c.l.held {
		used[k.limit] = max(used[k.limit], n)
	}
	c.l.mu.Unlock()
	used[ProcessMemory] = int64(c.l.memory.Used())
	for i := range Table {
		ch <- prometheus.MustNewConstMetric(valueDesc, prometheus.GaugeValue, c.l.values[i], Table[i].Name)
		if !Table[i].isRate() {
			ch <- prometheus.MustNewConstMetric(usedDesc, prometheus.GaugeValue, float64(used[i]), Table[i].Name)
		}
	}
}
