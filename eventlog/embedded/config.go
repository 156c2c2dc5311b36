package embedded

import (
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/eventlog/embedded/directory"
)

// DefaultPartitions is the number of partitions of a new log.
const DefaultPartitions = 8

// MaxPartitions is how many partitions two bytes of a key can number.
const MaxPartitions = 1 << 16

// Config says where a log is stored and what it may use.
type Config struct {
	Path       string            // the directory; created if missing
	Partitions int               // 0: as stored, or DefaultPartitions for a new log
	Retention  Retention         //
	Queue      Queue             //
	Storage    directory.Storage //
	Now        func() time.Time  // the clock of append times
}

// Retention says how long records are kept. Only records that Release has named are ever dropped.
type Retention struct {
	Age time.Duration // older records are dropped; 0: no limit
	// size of the stored records of all partitions, before compression; the oldest are dropped; 0:
	// no limit
	Bytes int64
	Every time.Duration // how often retention runs; 0: never
}

// Queue bounds the calls of Append that wait. When it is full, callers block until their context
// ends.
type Queue struct {
	Bytes   int64 // of payloads
	Entries int   //
}

// Default returns a configuration that keeps a day or 1 GiB and lets 16 MiB wait.
func Default(path string) Config {
	storage := directory.DefaultStorage()
	storage.Sequential = true
	storage.CacheBytes = 2 << 20 // records are read once, in order
	return Config{
		Path:      path,
		Retention: Retention{Age: 24 * time.Hour, Bytes: 1 << 30, Every: 10 * time.Second},
		Queue:     Queue{Bytes: 16 << 20, Entries: 64 << 10},
		Storage:   storage,
		Now:       time.Now,
	}
}

// Validate reports every field that is out of its range.
func (c Config) Validate() error {
	errs := []error{c.Storage.Validate()}
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(c.Path == "", "log directory is missing")
	refuse(c.Partitions < 0 || c.Partitions > MaxPartitions, "%d partitions are not allowed: 1 to %d, or 0 for the stored number", c.Partitions, MaxPartitions)
	refuse(c.Retention.Age < 0, "retention age %v is not allowed: 0 (no limit) or more", c.Retention.Age)
	refuse(c.Retention.Bytes < 0, "retention of %d bytes is not allowed: 0 (no limit) or more", c.Retention.Bytes)
	refuse(c.Retention.Every < 0, "retention every %v is not allowed: 0 (never) or more", c.Retention.Every)
	refuse(c.Queue.Bytes < 1, "queue of %d bytes is not allowed: 1 or more", c.Queue.Bytes)
	refuse(c.Queue.Entries < 1, "queue of %d entries is not allowed: 1 or more", c.Queue.Entries)
	refuse(c.Now == nil, "clock is missing")
	return errors.Join(errs...)
}
