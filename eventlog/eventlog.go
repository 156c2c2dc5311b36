// Package eventlog is the log: ordered, partitioned, durable, replayable records behind two small
// interfaces. One suite (eventlog/eventlogtest) runs over every implementation.
package eventlog

import (
	"context"
	"errors"

	"github.com/dashfeed/dashfeed/messages"
)

// Errors that every log gives.
var (
	// nothing was stored: free space is below the reserve
	ErrFull        = errors.New("storage full")
	ErrUnreachable = errors.New("log unreachable") // stored or not is unknown
	// nothing more is stored for now: its disk or directory refuses writes
	ErrUnwritable = errors.New("log unwritable")
	ErrTrimmed    = errors.New("position trimmed") // a reader's next record is no longer kept
	ErrInUse      = errors.New("directory in use") // another process holds it
	ErrTooLarge   = errors.New("record too large") // nothing was stored
	// nothing was stored: no log takes it, however often it is asked
	ErrRefused = errors.New("record refused")
	// it lies beyond the last record: of another log, or this one lost records
	ErrAhead   = errors.New("position ahead")
	ErrCorrupt = errors.New("record corrupt") // bytes were found that do not match their checksum
	ErrClosed  = errors.New("log closed")     //

	// the log is not set up to be folded
	ErrUnstamped     = errors.New("record without the log's own time or number")
	ErrUnknownTenant = errors.New("unknown tenant") // the log has no partitions for it
)

// MaxRecordBytes is the largest payload a log takes.
const MaxRecordBytes = 1 << 20

// Entry is a record to be appended; the log gives position and append time.
type Entry struct {
	Kind messages.Kind
	Key  messages.Key
	// where Key names no dashboard (ticks, tenant defaults); else the key decides
	Partition int
	Origin    messages.Origin // of a forwarded record
	EventTime int64           // of a forwarded record: as its producer gave it
	Payload   []byte
}

// Receipt tells where an entry was stored.
type Receipt struct {
	Partition int
	Position  messages.Position // zero: not stored
}

// Appender takes entries into the log.
type Appender interface {
	// Append returns when every entry is durable or failed: receipts are in the order of entries,
	// and err joins the reasons of those that were not stored. Entries of one call and one
	// partition are stored together, in order, or not at all. Where err is nil, neither the entries
	// nor their payloads are used any more. Any number of goroutines may call.
	Append(ctx context.Context, entries []Entry) ([]Receipt, error)
	// Partitions is the number of partitions of all tenants. A tenant's are fixed when it is made;
	// a log that keeps tenants apart grows when one is added, and never shrinks.
	Partitions() int
	// Tenant is the range of partitions that hold the tenant's dashboards: n of them, from first
	// on. ErrUnknownTenant where the log keeps tenants apart and has not got this one.
	Tenant(name string) (first, n int, err error)
	// PartitionOf is the home of a dashboard's key. ErrUnknownTenant as above.
	PartitionOf(k messages.Key) (int, error)
}

// Reader reads one partition in order. One goroutine calls it.
type Reader interface {
	// Next returns at least one and at most limit records after those it returned before, and waits
	// until there is one or ctx ends. Records and payloads are good until the next call. ErrTrimmed
	// where records are gone that it has not returned; ErrCorrupt where the next one cannot be
	// read.
	Next(ctx context.Context, limit int) ([]messages.Record, error)
	Close() error
}

// Passer is a Reader of a log that names as its last what holds no record: a part of a message
// whose rest is not there.
type Passer interface {
	Reader
	// NextOrPassed is Next, but it also returns without records where the log was looked at up to
	// the position passed, and has no record there behind those that were returned. Silence is no
	// such look: what is slow still comes.
	NextOrPassed(ctx context.Context, limit int) (records []messages.Record, passed messages.Position, err error)
}

// Remnant is a Log of which what is left can be read where a Reader from the zero Position would
// end with ErrTrimmed.
type Remnant interface {
	// ReadRemnant opens a reader of the partition from the oldest record kept, whatever came before
	// it.
	ReadRemnant(partition int) (Reader, error)
}

// Lag is a Log that can count what lies between a position and its end. It may ask far away: not
// for every record.
type Lag interface {
	// Lag is how many records the partition has after the position, by the log's own numbers: 0 at
	// its end. Where some of them are gone, it is those that are kept, or ErrTrimmed; ErrUnstamped
	// where the log numbers nothing.
	Lag(ctx context.Context, partition int, after messages.Position) (records uint64, err error)
}

// Log is an Appender that can be read.
type Log interface {
	Appender
	// Read opens a reader of what lies after the position; the zero Position reads from the oldest
	// record kept. ErrAhead where the position lies beyond the last record.
	Read(partition int, after messages.Position) (Reader, error)
	// IsFirst reports, of the first record that a reader from the zero Position gave, whether it is
	// the first that the partition ever had. A log whose readers end with ErrTrimmed where it isn't
	// always says yes.
	IsFirst(p messages.Position) bool
	// Last is the position of the partition's newest record; zero where it never had one. Where it
	// names what holds no record, its readers say so: they are Passers.
	Last(ctx context.Context, partition int) (messages.Position, error)
	// Release says that everything up to the position is in checkpoints: retention may drop it, and
	// nothing after it.
	Release(partition int, upTo messages.Position) error
	// Err is why the log takes no entries at the moment (ErrFull, …), or nil.
	Err() error
	Close() error
}
