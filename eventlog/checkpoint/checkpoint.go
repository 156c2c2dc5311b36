// Package checkpoint stores the durable state of shards, each with the position of the last record
// in it. One suite (eventlog/checkpoint/checkpointtest) runs over every Store.
//
// A Store keeps two checkpoints of a shard, in slots 0 and 1 in turn. A dashboard that changed is
// written at the next two checkpoints, so each slot alone holds every dashboard as of that slot's
// checkpoint or later. If the newest checkpoint is corrupt, the shard loads the one before and
// replays from its position.
package checkpoint

import (
	"context"
	"errors"

	"github.com/dashfeed/dashfeed/messages"
)

// ErrNone says that a shard has no whole checkpoint, or a dashboard no entry in it.
var ErrNone = errors.New("no checkpoint")

// ErrCorrupt says that bytes do not match their checksum.
var ErrCorrupt = errors.New("checkpoint corrupt")

// Marker is the shard's own part of a checkpoint, written last: it covers all records up to
// Position.
type Marker struct {
	Position messages.Position
	State    []byte // the shard's state: log time, the tenants' defaults
}

// Entry is one dashboard's part.
type Entry struct {
	Key      messages.Key
	Position messages.Position // of the last record folded into State; may be after the marker's
	Summary  []byte            // what a listing shows, so that it need not decode State
	State    []byte

	// Get sets the fields below; Put ignores them.
	// all the dashboard's records up to here are in State: replay the records after it
	Through messages.Position
	// the newest entry is corrupt and this is the previous one: Through may be before the marker's
	// position
	FellBack bool
	// after a fallback: the marker at or before Through that was written with this entry, to replay
	// from; zero if that marker is gone
	Marker Marker
}

// Store keeps the checkpoints of many shards. Calls for different shards may run concurrently; Get
// and List of a shard may run while a Writer writes it.
type Store interface {
	// Load chooses the shard's newest whole checkpoint, from which Get and List read until the next
	// Commit. It returns ErrNone if there never was one, and ErrCorrupt if none is whole.
	// passedOver says why a newer one was not chosen.
	Load(ctx context.Context, shard int) (m Marker, passedOver error, err error)
	// Get returns the dashboard's entry in the newest checkpoint. If that entry is corrupt, Get
	// returns the one of the checkpoint before, with FellBack set and a nil error. It returns
	// ErrNone if the dashboard has no entry, and ErrCorrupt if none of its entries is whole.
	Get(shard int, k messages.Key) (Entry, error)
	// List calls yield with the summaries (no State) of one tenant's dashboards whose names begin
	// with prefix and come after the name after, ordered by name, until yield returns false. It
	// lists the dashboards that Get finds, each once; Key and Summary are valid until yield
	// returns. Without a tenant it lists all dashboards and ignores prefix and after.
	List(shard int, tenant, prefix, after string, yield func(Entry) bool) error
	// Begin starts the shard's next checkpoint, in the slot of the older one. Each shard has one
	// Writer at a time. After a start, and after a Writer that did not commit, Begin first calls
	// Again for all dashboards that changed in the newest checkpoint, since its caller does not
	// know them.
	Begin(shard int) (Writer, error)

	// Shared reports whether other processes read the checkpoints too: then Load fetches the shard's
	// newest one from a place that all reach into a store of this process, from which Get, List and
	// waking dashboards read.
	Shared() bool
	// Newest returns the position of the newest checkpoint, where a process without any of its own
	// would begin; zero if there is none.
	Newest(ctx context.Context, shard int) (messages.Position, error)
	// Lead says whether this process is the shard's only writer from now on. While it is not,
	// Commit of a shared store stores the checkpoint in this process only and returns the zero
	// Position. A process that becomes the writer first reads what others have written.
	Lead(shard int, lead bool)
	// Forget drops what this process keeps of the shard. It returns an error while a Writer of the
	// shard is open.
	Forget(shard int) error
	Close() error
}

// Writer writes one checkpoint. The checkpoint counts only after Commit: if Commit fails or is not
// called, the caller must give the next Writer the same entries again.
type Writer interface {
	// Put does not keep e after it returns.
	Put(e Entry) error
	// Again copies the dashboard's entry of the previous checkpoint into this one, for a dashboard
	// that did not change. It returns ErrCorrupt if that entry is corrupt: then Put it.
	Again(k messages.Key) error
	// Remove removes what this Writer was given of the dashboard.
	Remove(k messages.Key) error
	// Commit returns when the checkpoint is durable. released is the position of the older of the
	// two checkpoints kept: no record up to it is needed any more. It is zero if only one
	// checkpoint is kept.
	Commit(m Marker) (released messages.Position, err error)
	// Abort discards the checkpoint; after Commit it does nothing.
	Abort() error
}
