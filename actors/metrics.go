package actors

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/messages"
)

// maxNamed is how many dashboards have metrics of their own. The others are counted under
// restLabel.
const (
	maxNamed  = 100
	restLabel = "_other"
)

// scraped holds what a shard's dashboards did since the last scrape.
type scraped struct {
	shard    *shard
	position messages.Position
	awake    int
	pending  int
	waiting  int
	refused  map[string]uint64  // counts by reason, if the shard is owned here
	dash     []scrapedDashboard // all named dashboards, and the busiest others
	rest     busyTotal
}

type scrapedDashboard struct {
	label string
	busyTotal
}

// scrape returns and resets the counts of the shard's dashboards. named holds the labels of
// dashboards with metrics of their own.
func (s *shard) scrape(named map[string]bool) scraped {
	r := scraped{shard: s, position: s.core.Position(), awake: s.awake, waiting: len(s.forwarder.waiting), pending: len(s.dirty) + len(s.written)}
	if s.owned.Load() {
		r.refused = s.state.RefusedCounts()
	}
	if s.job != nil {
		r.pending += len(s.job.put) + len(s.job.again)
	}
	r.rest.add(s.rest)
	s.rest = busyTotal{}
	var others []*entry
	for k, e := range s.entries {
		if e.busy.records() == 0 {
			continue
		}
		if label := k.Label(); named[label] {
			one := scrapedDashboard{label: label}
			one.join(&e.busy)
			r.dash = append(r.dash, one)
			continue
		}
		others = append(others, e)
	}
	slices.SortFunc(others, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(b.busy.records(), a.busy.records()), a.key.Compare(b.key))
	})
	for i, e := range others {
		if i >= maxNamed {
			r.rest.join(&e.busy)
			continue
		}
		one := scrapedDashboard{label: e.key.Label()}
		one.join(&e.busy)
		r.dash = append(r.dash, one)
	}
	return r
}

// collector is a prometheus.Collector for all shards. Labels are bounded: the busiest maxNamed
// dashboards have their own label, and keep it until a dashboard that is twice as busy replaces
// them. No sum ever falls: the counts of a label that is removed go to the rest.
type collector struct {
	host                                             *Host
	processed, seconds                               *prometheus.Desc
	position, lag, awake, pending, subscriptions     *prometheus.Desc
	checkpoints, panics, records, corrupt, truncate  *prometheus.Desc
	faults                                           *prometheus.Desc
	shards, loads, loading, replayed, behind, age    *prometheus.Desc
	lacking, refused                                 *prometheus.Desc
	waiting, forwarded, unroutable, takenBack, holes *prometheus.Desc

	mu    sync.Mutex
	named map[string]*series
	rest  busyTotal
	last  []scraped // one for each shard

	leaving sync.Mutex
	left    busyTotal // counts of shards that ended since the last scrape
}

// series holds the counts of one named dashboard.
type series struct {
	busyTotal
	score uint64 // recent records: halved at each scrape
}

func newCollector(h *Host) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &collector{
		host:          h,
		named:         map[string]*series{},
		processed:     desc("dashboard_messages_processed_total", "Records folded, by dashboard: the busiest by name, the rest as _other.", "dashboard_id"),
		seconds:       desc("dashboard_processing_seconds", "How long folding a record took, by dashboard.", "dashboard_id"),
		position:      desc("dashfeed_shard_position", "Position of the last record dispatched.", "shard"),
		lag:           desc("dashfeed_shard_lag_seconds", "How far the fold is behind the log.", "shard"),
		lacking:       desc("dashfeed_shard_lag_records", "Records that the shard has still to fold, by the log's numbers; 0 while it is live.", "shard"),
		refused:       desc("dashfeed_refused_records", "Records in the logs of the shards owned here that no dashboard got, by reason, since the logs began; a shard that moves takes its count along.", "reason"),
		awake:         desc("dashfeed_dashboards", "Dashboards in memory.", "state"),
		pending:       desc("dashfeed_checkpoint_pending", "Dashboards that the checkpoint under way or the next one has to write."),
		subscriptions: desc("dashfeed_subscriptions", "Subscriptions of viewers to dashboards."),
		checkpoints:   desc("dashfeed_checkpoints_total", "Checkpoints of shards.", "result"),
		panics:        desc("dashfeed_fold_panics_total", "Panics of a fold; the record was set aside."),
		faults:        desc("dashfeed_shard_faults_total", "Panics outside a fold; the shard was loaded again."),
		records:       desc("dashfeed_records_total", "Records read from the log.", "kind"),
		corrupt:       desc("dashfeed_checkpoints_corrupt_total", "Checkpoints, or entries in them, that were not whole when loaded."),
		shards:        desc("dashfeed_shards", "Shards here, by how they stand; owned ones are counted once more.", "state"),
		loads:         desc("dashfeed_shard_loads_total", "Shards told to load, become live, and dropped.", "event"),
		loading:       desc("dashfeed_shard_load_seconds_total", "How long the loads took that have become live."),
		replayed:      desc("dashfeed_shard_replayed_total", "Records read while their shards were loading."),
		behind:        desc("dashfeed_shard_proof_age_seconds", "How old the newest word of the log is that the shard has folded up to.", "shard"),
		age:           desc("dashfeed_checkpoint_age_seconds", "Time since the shard's last checkpoint.", "shard"),
		forwarded:     desc("dashfeed_forwarded_total", "Records found outside their dashboard's home and stored there."),
		waiting:       desc("dashfeed_forwards_waiting", "Records that wait to be stored at their home; checkpoints wait for them."),
		unroutable:    desc("dashfeed_unroutable_total", "Records that could be brought to no home."),
		takenBack:     desc("dashfeed_viewers_taken_back_total", "Viewers that had seen what the log has not, and began anew."),
		holes:         desc("dashfeed_losses_accepted_total", "Holes in logs that were accepted: each began a new epoch of its shard's dashboards."),
		truncate:      desc("dashfeed_histories_truncated_total", "Histories folded from a log that does not go back to their beginning."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.shards, c.loads, c.loading, c.replayed, c.behind, c.age, c.lacking, c.refused, c.waiting, c.forwarded, c.unroutable, c.takenBack, c.holes, c.processed, c.seconds, c.position, c.lag, c.awake, c.pending, c.subscriptions, c.checkpoints, c.panics, c.faults, c.records, c.corrupt, c.truncate} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ask()
	c.sendDashboards(ch)
	c.sendShards(ch)
}

// ask collects the counts of all shards and assigns them to the labels.
func (c *collector) ask() {
	named := make(map[string]bool, len(c.named))
	for label, s := range c.named {
		named[label] = true
		s.score /= 2
	}
	c.leaving.Lock()
	c.rest.add(c.left)
	c.left = busyTotal{}
	c.leaving.Unlock()
	var strangers []scrapedDashboard
	c.last = c.last[:0]
	for _, s := range c.host.held() {
		r, ok := c.wait(s, question(s, func() scraped { return s.scrape(named) }))
		if !ok {
			continue
		}
		c.last = append(c.last, r)
		c.rest.add(r.rest)
		for _, d := range r.dash {
			if own := c.named[d.label]; own != nil {
				own.add(d.busyTotal)
				own.score += d.records()
				continue
			}
			strangers = append(strangers, d)
		}
	}
	slices.SortFunc(strangers, func(a, b scrapedDashboard) int {
		return cmp.Or(cmp.Compare(b.records(), a.records()), cmp.Compare(a.label, b.label))
	})
	for _, d := range strangers {
		c.admit(d)
	}
}

// take keeps the counts of a shard that ends, made since its last scrape.
func (c *collector) take(s *shard) {
	for _, e := range s.entries {
		s.rest.join(&e.busy)
	}
	c.leaving.Lock()
	defer c.leaving.Unlock()
	c.left.add(s.rest)
}

// wait waits for a shard's answer. It gives up if the shard has stopped or is stuck: its counts
// come with a later scrape.
func (c *collector) wait(s *shard, reply <-chan scraped) (scraped, bool) {
	t := time.NewTimer(2 * time.Second)
	defer t.Stop()
	select {
	case r := <-reply:
		return r, true
	case <-s.stopped:
	case <-c.host.done:
	case <-t.C:
	}
	return scraped{}, false
}

// admit gives a dashboard a label of its own if there is room, or if it is twice as busy as the
// idlest named one.
func (c *collector) admit(d scrapedDashboard) {
	if len(c.named) >= maxNamed {
		idlest := ""
		for label, s := range c.named {
			if i := c.named[idlest]; i == nil || s.score < i.score || s.score == i.score && label < idlest {
				idlest = label
			}
		}
		if d.records() <= 2*c.named[idlest].score {
			c.rest.add(d.busyTotal)
			return
		}
		c.rest.add(c.named[idlest].busyTotal)
		delete(c.named, idlest)
	}
	c.named[d.label] = &series{d.busyTotal, d.records()}
}

func (c *collector) sendDashboards(ch chan<- prometheus.Metric) {
	for label, s := range c.named {
		c.sendDashboard(ch, label, &s.busyTotal)
	}
	if c.rest.records() > 0 {
		c.sendDashboard(ch, restLabel, &c.rest)
	}
}

func (c *collector) sendDashboard(ch chan<- prometheus.Metric, label string, t *busyTotal) {
	buckets := make(map[float64]uint64, len(busyBounds))
	var sum uint64
	for i, bound := range busyBounds {
		sum += t.counts[i]
		buckets[float64(bound)/1e9] = sum
	}
	n := t.records()
	ch <- prometheus.MustNewConstMetric(c.processed, prometheus.CounterValue, float64(n), label)
	ch <- prometheus.MustNewConstHistogram(c.seconds, n, float64(t.nanos)/1e9, buckets, label)
}
