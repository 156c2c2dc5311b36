package remote

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// collectors holds the metrics of one end.
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
		return fmt.Errorf("register the metrics of the feed's link: %w", err)
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

// serverStats holds an owner's metrics.
type serverStats struct {
	messages, bytes, answers, dropped, refused prometheus.Counter
	collectors
}

func newServerStats(s *Server) *serverStats {
	st := &serverStats{
		messages: counter("dashfeed_feed_messages_total", "Messages sent to gateways."),
		bytes:    counter("dashfeed_feed_bytes_total", "Bytes sent to gateways."),
		answers:  counter("dashfeed_feed_answers_total", "Updates sent to gateways."),
		dropped:  counter("dashfeed_feed_dropped_total", "Streams, interests and calls of gateways that were refused or dropped at a limit."),
		refused:  counter("dashfeed_feed_refused_total", "Messages from gateways that could not be read."),
	}
	gateways := gauge("dashfeed_feed_gateways", "Gateways that follow dashboards on this node.", func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.gateways))
	})
	st.collectors = collectors{st.messages, st.bytes, st.answers, st.dropped, st.refused, gateways}
	return st
}

// clientStats holds a gateway's metrics.
type clientStats struct {
	updates, lost, refused prometheus.Counter
	collectors
}

func newClientStats(c *Client) *clientStats {
	st := &clientStats{
		updates: counter("dashfeed_feed_updates_total", "Updates received from owners."),
		lost:    counter("dashfeed_feed_lost_total", "Updates that were asked for again because their stream broke."),
		refused: counter("dashfeed_feed_unread_total", "Messages from owners that could not be read."),
	}
	sources := gauge("dashfeed_feed_sources", "Owners at which this gateway follows dashboards.", func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(len(c.sources))
	})
	waiting := gauge("dashfeed_feed_unserved", "Followed dashboards whose shard has no owner at the moment.", func() float64 {
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
