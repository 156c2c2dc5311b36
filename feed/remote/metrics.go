package remote

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// collectors are the metrics of one end.
type collectors []prometheus.Collector

func (cs collectors) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	var errs []error
	for _, c := range cs {
		errs = append(errs, r.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("metrics of the feed's link: %w", err)
	}
	return nil
}

func (cs collectors) unregister(r prometheus.Registerer) {
	if r == nil {
		return
	}
	for _, c := range cs {
		r.Unregister(c)
	}
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

// serverStats are an owner's.
type serverStats struct {
	messages, bytes, answers, dropped, refused prometheus.Counter
	collectors
}

func newServerStats(s *Server) *serverStats {
	st := &serverStats{
		messages: counter("dashfeed_feed_messages_total", "Messages sent to gateways."),
		bytes:    counter("dashfeed_feed_bytes_total", "Bytes sent to gateways."),
		answers:  counter("dashfeed_feed_answers_total", "Updates sent to gateways."),
		dropped:  counter("dashfeed_feed_dropped_total", "Gateways' streams, interests and calls beyond a bound."),
		refused:  counter("dashfeed_feed_refused_total", "Gateways' messages that could not be read."),
	}
	gateways := gauge("dashfeed_feed_gateways", "Gateways that dashboards are kept open for.", func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.gateways))
	})
	st.collectors = collectors{st.messages, st.bytes, st.answers, st.dropped, st.refused, gateways}
	return st
}

// clientStats are a gateway's.
type clientStats struct {
	updates, lost, refused prometheus.Counter
	collectors
}

func newClientStats(c *Client) *clientStats {
	st := &clientStats{
		updates: counter("dashfeed_feed_updates_total", "Updates got from owners."),
		lost:    counter("dashfeed_feed_lost_total", "Updates asked for again since the stream that they were to come on broke."),
		refused: counter("dashfeed_feed_unread_total", "Owners' messages that could not be read."),
	}
	sources := gauge("dashfeed_feed_sources", "Owners that dashboards are followed at.", func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(len(c.sources))
	})
	waiting := gauge("dashfeed_feed_unserved", "Dashboards looked at whose shard has no owner at the moment.", func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		n := 0
		for _, sh := range c.shards {
			if sh.source == nil {
				n += len(sh.subscriptions)
			}
		}
		return float64(n)
	})
	st.collectors = collectors{st.updates, st.lost, st.refused, sources, waiting}
	return st
}
