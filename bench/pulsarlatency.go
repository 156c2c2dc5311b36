package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/traffic"
	"github.com/dashfeed/dashfeed/chaos/trial"
	"github.com/dashfeed/dashfeed/chaos/viewer"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// pulsarLatency measures, at 5,000 events a second on 50 dashboards, the time from a producer's
// send to the frame at a viewer, through Pulsar, a node and a gateway. A plain consumer of the same
// topic, in the same process as producer and viewer, shows when the broker delivers the event; the
// rest is Dashfeed's part. An event that a newer one replaced within a flush ends with the newer
// one's frame, as a viewer sees it. The producer first has the defaults of the Go client, whose
// messages wait up to 10 ms for others, and then those of the Java client, 1 ms: that makes a
// message of each event here, and the broker takes most of both processors.
func pulsarLatency(ctx context.Context, b *bench) (err error) {
	t, err := b.trial(ctx, "pulsar-latency", trial.Config{
		Cluster:    process.ClusterConfig{Nodes: 1, Gateways: 1, Tenants: fmt.Sprintf("default=%d", clusterPartitions)},
		Definition: "panels: [{id: newest, window: latest, aggregates: [last]}]\ndedupe: {by: none}\n", Dashboards: 50, Unwatched: true,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Stop()) }()
	for _, delay := range []time.Duration{10 * time.Millisecond, time.Millisecond} {
		if err := b.hops(ctx, t, delay); err != nil {
			return fmt.Errorf("messages that wait up to %s: %w", delay, err)
		}
	}
	return nil
}

// hops measures with one producer whose messages wait up to delay for others.
func (b *bench) hops(ctx context.Context, t *trial.Trial, delay time.Duration) error {
	const (
		rate  = 5000
		warm  = 5 * time.Second
		lasts = 20 * time.Second
	)
	h := newHop(t.Names, rate*60)
	v := viewer.Watch(viewer.Config{Name: "viewer", Gateways: t.Cluster.URLs(), Dashboards: t.Names, Updated: h.shown})
	defer v.Close()
	topic := pulsar.EventsTopic(messages.DefaultTenant)
	listener, err := traffic.Listen(t.Cluster.Pulsar.URL, topic, h.heard)
	if err != nil {
		return err
	}
	defer listener.Close()
	for _, p := range t.Cluster.All() {
		defer b.profile(p, fmt.Sprintf("pulsar-latency-%s", delay), warm+lasts)()
	}
	mirrored := meanOf(t.Cluster.Gateways[0], "dashfeed_update_age_seconds")
	producer := traffic.Numbered{
		Broker: t.Cluster.Pulsar.URL, Topic: topic, Dashboards: t.Names, Rate: rate, Delay: delay, Sent: h.sent,
	}
	sent, err := producer.Run(ctx, warm+lasts)
	if err != nil {
		return err
	}
	if err := wait(ctx, time.Second); err != nil {
		return err
	}
	b.machine()
	whole, broker, ours, lost := h.samples(int(warm.Seconds()*rate), sent)
	fmt.Fprintf(b.out, "pulsar-latency, messages that wait up to %s: %d events over %s, %d events/s, %d dashboards; %d without a frame\n",
		delay, len(whole), lasts, rate, len(t.Names), lost)
	fmt.Fprintf(b.out, "by the gateway's own metric, on average: append to the gateway's copy %s\n", mirrored())
	b.spread("send to frame", whole)
	b.spread("send to a plain consumer, the broker's share", broker)
	p50, p99 := b.spread("Dashfeed's part", ours)
	b.figure("Dashfeed's part p50", float64(p50.Microseconds())/1000, 3, "ms")
	b.figure("Dashfeed's part p99", float64(p99.Microseconds())/1000, 20, "ms")
	for _, problem := range v.Problems() {
		fmt.Fprintf(b.out, "  NOT right: %s\n", problem)
	}
	return nil
}

// hop follows events by their number, which is their value.
type hop struct {
	mu                sync.Mutex
	sentAt, heardAt   []time.Time
	shownAt           []time.Time
	waiting           map[string][]int // sent and not shown, by dashboard
	dashboards, limit int
}

func newHop(names []string, limit int) *hop {
	return &hop{
		sentAt: make([]time.Time, limit), heardAt: make([]time.Time, limit), shownAt: make([]time.Time, limit),
		waiting: map[string][]int{}, dashboards: len(names), limit: limit,
	}
}

func (h *hop) sent(n int, dashboard string, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n < h.limit {
		h.sentAt[n] = at
		h.waiting[dashboard] = append(h.waiting[dashboard], n)
	}
}

func (h *hop) heard(payload []byte, at time.Time) {
	n, ok := traffic.NumberOf(payload)
	h.mu.Lock()
	defer h.mu.Unlock()
	if ok && n < h.limit {
		h.heardAt[n] = at
	}
}

// shown handles a frame, whose one cell has the newest number.
func (h *hop) shown(dashboard string, at time.Time, u *wire.Update) {
	if len(u.Cells) == 0 {
		return
	}
	row := wire.AppendRow(nil, u.Cells[len(u.Cells)-1].Row)
	newest, err := strconv.Atoi(string(row[1 : len(row)-1]))
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	rest := h.waiting[dashboard][:0]
	for _, n := range h.waiting[dashboard] {
		if n <= newest {
			h.shownAt[n] = at
		} else {
			rest = append(rest, n)
		}
	}
	h.waiting[dashboard] = rest
}

// samples returns the times of the events in [first, end).
func (h *hop) samples(first, end int) (whole, broker, ours []time.Duration, lost int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n := first; n < min(end, h.limit); n++ {
		if h.shownAt[n].IsZero() || h.heardAt[n].IsZero() {
			lost++
			continue
		}
		whole = append(whole, h.shownAt[n].Sub(h.sentAt[n]))
		broker = append(broker, h.heardAt[n].Sub(h.sentAt[n]))
		ours = append(ours, max(0, h.shownAt[n].Sub(h.heardAt[n])))
	}
	return whole, broker, ours, lost
}

// meanOf follows a histogram of a process; the returned function returns the mean since then.
func meanOf(p *process.Process, metric string) func() string {
	sum, count := histogram(p, metric)
	return func() string {
		s, c := histogram(p, metric)
		if c == count {
			return "unknown"
		}
		return fmt.Sprintf("%.1f ms", (s-sum)/(c-count)*1000)
	}
}

func histogram(p *process.Process, metric string) (sum, count float64) {
	resp, err := http.Get(p.Admin + "/metrics")
	if err != nil {
		return 0, 0
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch base, _, _ := strings.Cut(name, "{"); base {
		case metric + "_sum":
			sum += v
		case metric + "_count":
			count += v
		}
	}
	return sum, count
}
