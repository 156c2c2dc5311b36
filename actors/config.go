package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/actors/crashes"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/fold"
)

// Config is what a Host is made of. Take Default and override; the first three fields have no
// default.
type Config struct {
	Log         eventlog.Log
	Checkpoints checkpoint.Store
	Region      string // part of every epoch; "local" where there is one

	Crashes *crashes.File         // what the process is at, for the next one; nil: nobody is told
	Table   fold.Table            // the aggregates that definitions may name
	Logger  *slog.Logger          //
	Metrics prometheus.Registerer // nil: none are kept

	CheckpointEvery time.Duration // between two checkpoints of a shard in which something changed
	SleepAfter      time.Duration // a dashboard without record or viewer for so long is put to sleep

	// dashboards in memory; beyond it the shard puts the idlest to sleep before it reads on
	MaxAwakePerShard int
	Batches          int // batches in flight per shard: its credit
	BatchRecords     int // records of a batch, at most
	BatchBytes       int // payload bytes that a batch aims at
}

// Default is the configuration of a single node, but for the log and the store.
func Default() Config {
	return Config{
		Region:           "local",
		Table:            fold.Builtin(),
		Logger:           slog.Default(),
		CheckpointEvery:  5 * time.Second,
		SleepAfter:       60 * time.Second,
		MaxAwakePerShard: 50_000,
		Batches:          4,
		BatchRecords:     512,
		BatchBytes:       1 << 20,
	}
}

// Validate tells everything that is wrong, and changes nothing.
func (c Config) Validate() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("actors: "+format, args...))
		}
	}
	refuse(c.Log == nil, "no log given")
	refuse(c.Checkpoints == nil, "no checkpoint store given")
	refuse(c.Region == "", "region is empty")
	refuse(c.Logger == nil, "no logger given")
	refuse(c.CheckpointEvery <= 0, "checkpoint interval %v is not above 0", c.CheckpointEvery)
	refuse(c.SleepAfter <= 0, "sleep after %v is not above 0", c.SleepAfter)
	refuse(c.MaxAwakePerShard < 1, "at most %d dashboards awake a shard, want at least 1", c.MaxAwakePerShard)
	refuse(c.Batches < 1, "%d batches in flight, want at least 1", c.Batches)
	refuse(c.BatchRecords < 1, "%d records a batch, want at least 1", c.BatchRecords)
	refuse(c.BatchBytes < 1, "%d bytes a batch, want at least 1", c.BatchBytes)
	return errors.Join(errs...)
}
