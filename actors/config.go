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

// Config configures a Host. Take Default and override fields. Log and Checkpoints have no default.
type Config struct {
	Log         eventlog.Log
	Checkpoints checkpoint.Store
	Region      string // part of every epoch; "local" if there is only one region

	// records what the process works on, for the next process; nil: not recorded
	Crashes *crashes.File
	Table   fold.Table // aggregates that definitions may name
	Logger  *slog.Logger
	Metrics prometheus.Registerer // where metrics are registered; nil: nowhere

	CheckpointEvery time.Duration // time between two checkpoints of a shard with changes
	// a dashboard that has no viewers, and no records for this long, is put to sleep
	SleepAfter time.Duration

	// dashboards in memory; beyond this the shard puts the idlest ones to sleep before it reads on
	MaxAwakePerShard int
	Batches          int // batches in flight per shard: its credit
	BatchRecords     int // most records in a batch
	BatchBytes       int // intended payload bytes in a batch
}

// Default returns the configuration of a single node, without the log and the checkpoint store.
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

// Validate returns everything that is wrong with the configuration. It changes nothing.
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
