// Package eventlog defines the log: ordered, partitioned, durable, replayable records behind a few
// small interfaces. One test suite (eventlog/eventlogtest) runs over every implementation.
package eventlog

import (
	"context"
	"errors"

	"github.com/dashfeed/dashfeed/messages"
)

// Errors of every log.
var (
	// nothing was stored: free space is below the reserve
	ErrFull        = errors.New("storage full")
	ErrUnreachable = errors.New("log unreachable") // whether it was stored is unknown
	// nothing more is stored for now: the disk or directory refuses writes
	ErrUnwritable = errors.New("log unwritable")
	ErrTrimmed    = errors.New("position trimmed") // the reader's next record is no longer kept
	ErrInUse      = errors.New("directory in use") // another process uses it
	ErrTooLarge   = errors.New("record too large") // nothing was stored
	// nothing was stored: no log accepts it, however often it is appended
	ErrRefused = errors.New("record refused")
	// the position is beyond the last record: of another log, or this log lost records
	ErrAhead   = errors.New("position ahead")
	ErrCorrupt = errors.New("record corrupt") // bytes do not match their checksum
	ErrClosed  = errors.New("log closed")

	// the log gives records no time or number: it is not set up to be folded
	ErrUnstamped     = errors.New("record without the log's own time or number")
	ErrUnknownTenant = errors.New("unknown tenant") // the log has no partitions for it
)

// MaxRecordBytes is the size of the largest payload that a log accepts.
const MaxRecordBytes = 1 << 20

// Entry is a record to append; the log adds the position and the append time.
type Entry struct {
	Kind messages.Kind
	Key  messages.Key
	// the partition if Key names no dashboard (ticks, tenant defaults); otherwise the key decides
	Partition int
	Origin    messages.Origin // of a forwarded record
	EventTime int64           // of a forwarded record: as its producer gave it
	Payload   []byte
}

// Receipt says where an entry was stored.
type Receipt struct {
	Partition int
	Position  messages.Position // zero: not stored
}

// Appender appends entries to the log.
type Appender interface {
	// Append returns when every entry is durable or has failed. Receipts are in the order of entries,
	// and err joins the errors of the entries that were not stored. Entries of one call and one
	// partition are stored together, in order, or not at all. If err is nil, the log no longer uses
	// the entries or their payloads. Any number of goroutines may call.
	Append(ctx context.Context, entries []Entry) ([]Receipt, error)
	// Partitions returns the number of partitions of all tenants. A tenant's number is fixed when the
	// tenant is made. A log that keeps tenants apart grows when a tenant is added, and never shrinks.
	Partitions() int
	// Tenant returns the range of partitions that hold the tenant's dashboards: n of them, from first
	// on. It fails with ErrUnknownTenant if the log keeps tenants apart and does not know this one.
	Tenant(name string) (first, n int, err error)
	// PartitionOf returns the home of a dashboard's key. ErrUnknownTenant as above.
	PartitionOf(k messages.Key) (int, error)
}

// Reader reads one partition in order. One goroutine calls it.
type Reader interface {
	// Next waits until there is a record after those that it returned before, and returns at least one
	// and at most limit records. Records and payloads are valid until the next call. It fails with
	// ErrTrimmed if records that it has not returned are gone, with ErrCorrupt if it can't read the
	// next one, and when ctx ends.
	Next(ctx context.Context, limit int) ([]messages.Record, error)
	Close() error
}

// Passer is a Reader of a log whose Last may name a position that holds no record: a part of a
// message whose other parts are missing.
type Passer interface {
	Reader
	// NextOrPassed is like Next, but it also returns without records if the log was read up to the
	// position passed and has no more records up to there. That nothing comes for a while does not
	// count as such: a slow log may still send records.
	NextOrPassed(ctx context.Context, limit int) (records []messages.Record, passed messages.Position, err error)
}

// Remnant is a Log whose remaining records can be read where a Reader from the zero Position would
// end with ErrTrimmed.
type Remnant interface {
	// ReadRemnant opens a reader of the partition from the oldest record kept, whether or not there
	// were records before it.
	ReadRemnant(partition int) (Reader, error)
}

// Lag is a Log that can count the records between a position and its end. A call may ask a remote
// broker: do not make one for every record.
type Lag interface {
	// Lag returns how many records the partition has after the position, by the log's own numbers: 0
	// at its end. If some of them are gone, it counts those that are kept or fails with ErrTrimmed. It
	// fails with ErrUnstamped if the log does not number records.
	Lag(ctx context.Context, partition int, after messages.Position) (records uint64, err error)
}

// Log is an Appender whose records can be read.
type Log interface {
	Appender
	// Read opens a reader of what follows the position; the zero Position reads from the oldest record
	// kept. It fails with ErrAhead if the position is beyond the last record.
	Read(partition int, after messages.Position) (Reader, error)
	// IsFirst reports whether the first record that a reader from the zero Position returned is the
	// first one that the partition ever had. A log whose readers end with ErrTrimmed otherwise always
	// returns true.
	IsFirst(p messages.Position) bool
	// Last returns the position of the partition's newest record; zero if it never had one. If that
	// position may hold no record, the log's readers are Passers.
	Last(ctx context.Context, partition int) (messages.Position, error)
	// Release says that everything up to the position is in checkpoints: retention may drop that, and
	// nothing after it.
	Release(partition int, upTo messages.Position) error
	// Err returns why the log accepts no entries at the moment (ErrFull, …), or nil.
	Err() error
	Close() error
}
