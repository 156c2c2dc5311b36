package actors

import (
	"errors"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
)

const boomPanels = "panels: [{id: p, window: {count: 100}, aggregates: [count, boom]}]"

func TestPanickingRecordIsSetAside(t *testing.T) {
	for name, c := range map[string]struct {
		values  []float64
		every   time.Duration // interval of checkpoints
		restart bool          // after half of the values
	}{
		"one":                        {[]float64{1, poison, 2}, time.Hour, false},
		"first":                      {[]float64{poison, 1}, time.Hour, false},
		"several in a row":           {[]float64{1, poison, poison, poison, 2, poison}, time.Hour, false},
		"only":                       {[]float64{poison, poison}, time.Hour, false},
		"with checkpoints":           {[]float64{1, poison, 2, poison, 3, 4}, time.Millisecond, false},
		"with a restart in between":  {[]float64{1, poison, 2, 3, poison, 4}, time.Hour, true},
		"replayed after the restart": {[]float64{1, poison, poison, 2, 3, 4}, time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, func(conf *Config) { conf.CheckpointEvery = c.every })
			n.append(n.define("d", 1, boomPanels), event1("other", "m", 1))
			before := n.read("d").Epoch
			bad := 0
			for i, v := range c.values {
				n.append(event1("d", "m", v), event1("other", "m", float64(i)))
				if v == poison {
					bad++
				}
				if c.every < time.Second || i == 1 {
					n.read("d") // so that batches have one record
				}
				if c.restart && i == len(c.values)/2 {
					n.restart()
				}
			}
			r := n.read("d")
			good := len(c.values) - bad
			if r.Counters.SetAside != uint64(bad) || r.Counters.Accepted != uint64(good) {
				t.Errorf("%d set aside and %d accepted, want %d and %d", r.Counters.SetAside, r.Counters.Accepted, bad, good)
			}
			if r.Epoch == before {
				t.Error("the epoch is the same")
			}
			listed := 0
			for _, l := range r.Refused {
				if l.Reason == "panic" && l.Metric == "m" {
					listed++
				}
			}
			if listed != bad {
				t.Errorf("%d of %d are listed: %v", listed, bad, r.Refused)
			}
			n.compare()
		})
	}
}

func TestPanicsAreCounted(t *testing.T) {
	n := newNode(t, nil)
	n.append(n.define("d", 1, boomPanels), event1("d", "m", poison))
	n.read("d")
	if got := n.metric("dashfeed_fold_panics_total", ""); got != 1 {
		t.Errorf("%v panics counted", got)
	}
}

// A row that cannot be written is not the fault of a record: its dashboard is given up and logged,
// and the shard continues.
func TestRowThatPanicsCostsItsDashboardOnly(t *testing.T) {
	n := newNode(t, func(conf *Config) { conf.CheckpointEvery = time.Millisecond })
	n.append(n.define("d", 1, "panels: [{id: p, window: {count: 100}, aggregates: [dud]}]"), event1("d", "m", 1), event1("other", "m", 1))
	n.until("the dashboard is given up", func() bool { return n.metric("dashfeed_fold_panics_total", "") > 0 })
	if r := n.read("other"); r.Counters.Accepted != 1 {
		t.Errorf("the other dashboard has %d events", r.Counters.Accepted)
	}
	if _, err := n.host.Read(t.Context(), key("d"), feed.Query{}); !errors.Is(err, errLost) {
		t.Errorf("reading it: %v", err)
	}
	written := n.metric("dashfeed_checkpoints_total", "written")
	n.append(event1("d", "m", 2), event1("other", "m", 2))
	n.until("checkpoints go on", func() bool { return n.metric("dashfeed_checkpoints_total", "written") > written })
	if r := n.read("other"); r.Counters.Accepted != 2 {
		t.Errorf("the other dashboard has %d events", r.Counters.Accepted)
	}
}

// A definition that names an aggregate unknown to this binary is counted as an invalid record.
func TestUnknownAggregateRefusesDefinition(t *testing.T) {
	n := newNode(t, nil)
	entry := n.define("d", 1, boomPanels)
	n.stop(t.Context())
	n.change = func(c *Config) { c.Table = fold.Builtin() } // without boom
	n.start()
	n.append(entry, event1("d", "m", 1))
	r := n.read("d")
	if r.To != 2 || !r.Definition.Default {
		t.Errorf("at version %d, default %v", r.To, r.Definition.Default)
	}
}
