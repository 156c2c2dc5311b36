// Package embedded is the log on one machine, in a Pebble store. Positions count 1, 2, 3 … in each
// partition, without gaps, in Lo. A record's key is (generation, partition, sequence); the
// generation increases with every few MiB appended. A chunk is a partition's run of records in one
// generation; the list of chunks is in memory.
//
//	log, err := embedded.Open(embedded.Default("/var/lib/dashfeed/log"))
//	receipts, err := log.Append(ctx, entries)           // durable on return
//	reader, err := log.Read(3, messages.Position{})     // partition 3 from the oldest record kept
//	records, err := reader.Next(ctx, 1000)              // waits at the end
//
// Guarantees:
//
//  1. Records that Append acknowledged survive a crash of the process and of the machine; so do
//     records that a reader returned.
//  2. Append times never fall, over partitions, restarts and clocks set back.
//  3. Retention drops whole chunks (some 100 KiB) from the old end, by age and size, and never a
//     record that Release has not named.
//  4. A full volume makes Append return ErrFull, a directory that can't be written ErrUnwritable.
//     Acknowledged records are kept and readable, and appends succeed again once they can be
//     stored. The process stays up.
//  5. A corrupt record gives an error that names partition and position, never a record.
//
// A record's value is checksum (CRC-32C of key and rest), kind, append time, lengths of the names,
// tenant, dashboard, payload. Released positions are not stored: after a start nothing is dropped
// until Release names it again.
package embedded

import (
	"context"
	"fmt"
	"sync"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/embedded/directory"
	"github.com/dashfeed/dashfeed/messages"
)

// formatVersion is the version of the keys and values described above. In version 1 a dashboard's
// home was the hash of its tenant's and its own name.
const formatVersion = 2

// Log is the embedded log. It owns two goroutines, the committer and retention; Close waits for
// both.
type Log struct {
	config     Config
	dir        *directory.Directory
	partitions []*partition
	queue      queue
	lastAppend int64 // only the committer uses it

	acknowledged uint64          // records of all partitions, kept or not; only the committer uses it
	mark         *directory.Mark // stores acknowledged

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup

	// held by the committer for a group, by retention for a trim; locked before taking
	storing    sync.Mutex
	generation generation

	taking  sync.Mutex   // between a caller that leaves and the committer that takes its call
	reading sync.RWMutex // held for reading while Pebble is read; Close waits for it

	mu     sync.Mutex
	closed bool
	broken error // a write failed: the state on disk is unknown
}

var (
	_ eventlog.Log = (*Log)(nil)
	_ eventlog.Lag = (*Log)(nil)
)

// Open opens or creates the log. It returns ErrInUse if another process has it.
func Open(c Config) (*Log, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	want := directory.Format{Kind: "log", Version: formatVersion, Partitions: c.Partitions}
	if want.Partitions == 0 {
		want.Partitions = DefaultPartitions
	}
	dir, err := directory.Open(c.Path, want, c.Storage, checkAcknowledged)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &Log{config: c, dir: dir, queue: newQueue(c.Queue)}
	l.life, l.end = context.WithCancel(context.Background())
	if err := l.load(); err != nil {
		_ = dir.Close(func() {}, func() {})
		return nil, fmt.Errorf("open log in %s: %w", dir.Path(), err)
	}
	l.work.Go(l.commitLoop)
	if c.Retention.Every > 0 {
		l.work.Go(l.retainLoop)
	}
	return l, nil
}

func (l *Log) load() error {
	if v := l.dir.Format.Version; v != formatVersion {
		return fmt.Errorf("its records have format %d, of an older version that put dashboards into other partitions; this one reads format %d: give another directory by --data and publish the events again, or start the older version", v, formatVersion)
	}
	stored := l.dir.Format.Partitions
	if l.config.Partitions != 0 && l.config.Partitions != stored {
		return fmt.Errorf("%d partitions are configured, but the log was created with %d, which is fixed: leave the number out or give %d", l.config.Partitions, stored, stored)
	}
	if stored < 1 || stored > MaxPartitions {
		return fmt.Errorf("%d partitions are stored, want 1 to %d", stored, MaxPartitions)
	}
	all, newest, err := load(l.dir.DB, stored)
	if err != nil {
		return err
	}
	l.partitions = all
	for _, p := range all {
		l.lastAppend = max(l.lastAppend, p.newest)
	}
	l.generation = newGeneration(newest, stored, l.config.Storage.MemTableBytes)
	l.acknowledged = sum(all)
	if l.mark, err = l.dir.OpenMark(); err != nil {
		return err
	}
	return l.mark.Set(l.acknowledged)
}

// sum returns how many records all partitions have had.
func sum(all []*partition) (records uint64) {
	for _, p := range all {
		records += p.last
	}
	return records
}

// checkAcknowledged compares the stored records with the acknowledged ones, before anything is
// changed. It does not judge a directory whose format load refuses.
func checkAcknowledged(dir *directory.Directory) error {
	before, err := dir.Marked()
	if n := dir.Format.Partitions; err != nil || before == 0 || dir.Format.Version != formatVersion || n < 1 || n > MaxPartitions {
		return err
	}
	all, _, err := load(dir.DB, dir.Format.Partitions)
	if err != nil {
		return err
	}
	if here := sum(all); here < before {
		return fmt.Errorf("%w: %d of %d acknowledged records are missing: the write-ahead log %s is damaged or not the newest. Nothing was changed: restore it from a copy; or, to go on without these records, keep a copy of the directory and remove %s",
			eventlog.ErrCorrupt, before-here, before, dir.NewestLog(), dir.MarkPath())
	}
	return nil
}

// Partitions returns the number of partitions, fixed when the log was created.
func (l *Log) Partitions() int { return len(l.partitions) }

// PartitionOf is eventlog.PartitionOf over this log's partitions.
func (l *Log) PartitionOf(k messages.Key) (int, error) {
	return eventlog.PartitionOf(k.Dashboard, len(l.partitions)), nil
}

// Tenant returns the whole log: all tenants share it.
func (l *Log) Tenant(string) (first, n int, err error) { return 0, len(l.partitions), nil }

// IsFirst reports whether the record is number 1.
func (l *Log) IsFirst(p messages.Position) bool { return p.Lo <= 1 }

// Last returns the position of the partition's newest record, kept or not.
func (l *Log) Last(_ context.Context, partition int) (messages.Position, error) {
	p, err := l.partition(partition)
	if err != nil {
		return messages.Position{}, err
	}
	_, last, _ := p.bounds()
	return messages.Position{Lo: last}, nil
}

// Lag implements eventlog.Lag.
func (l *Log) Lag(_ context.Context, partition int, after messages.Position) (uint64, error) {
	p, err := l.partition(partition)
	if err != nil {
		return 0, err
	}
	floor, last, _ := p.bounds()
	gone := floor - min(floor, 1)
	return last - min(last, max(after.Lo, gone)), nil
}

func (l *Log) partition(n int) (*partition, error) {
	if n < 0 || n >= len(l.partitions) {
		return nil, fmt.Errorf("partition %d is not allowed: 0 to %d", n, len(l.partitions)-1)
	}
	return l.partitions[n], nil
}

// Err returns ErrFull while free space is below the reserve, ErrUnwritable while the directory
// can't be written, ErrClosed after Close, and the cause after a failed write.
func (l *Log) Err() error {
	l.mu.Lock()
	broken := l.broken
	l.mu.Unlock()
	if broken != nil {
		return broken
	}
	return l.dir.Err()
}

func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
	return err
}

// Close stores queued calls, ends readers with ErrClosed, and returns when both goroutines and
// Pebble have ended, or with the reason why their writes wait.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.queue.calls)
	l.mu.Unlock()
	l.end()
	return l.dir.Close(func() {
		l.work.Wait()
		l.reading.Lock()
		_ = l.fail(eventlog.ErrClosed)
	}, l.reading.Unlock)
}
