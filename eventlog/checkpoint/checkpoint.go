// Package checkpoint is where shards keep their durable state and the position it stands at. One
// suite (eventlog/checkpoint/checkpointtest) runs over every Store.
//
// Two checkpoints of a shard are kept, in slots 0 and 1 in turn. A dashboard that changed is
// written at the next two checkpoints, so each slot alone holds every dashboard as it was at that
// slot's checkpoint or later. A corrupt newest checkpoint is passed over for the one before, from
// whose position the shard replays.
package checkpoint

import (
	"context"
	"errors"

	"github.com/dashfeed/dashfeed/messages"
)

// ErrNone says that a shard has no whole checkpoint, or a dashboard no entry in it.
var ErrNone = errors.New("no checkpoint")

// ErrCorrupt says that bytes were found that do not match their checksum.
var ErrCorrupt = errors.New("checkpoint corrupt")

// Marker is the shard's own part of a checkpoint, written last: everything up to Position is in it.
type Marker struct {
	Position messages.Position
	State    []byte // the shard's state: log time, the tenants' defaults
}

// Entry is one dashboard's part.
type Entry struct {
	Key      messages.Key
	Position messages.Position // of the last record folded into State; may lie after the marker's
	Summary  []byte            // what a listing shows, so that it need not decode State
	State    []byte

	// Get sets these; Put does not look at them.
	// all the dashboard's records up to here are in State: replay what lies after it
	Through messages.Position
	// the newest entry is corrupt and this is the one before: Through may lie before the marker's
	// position
	FellBack bool
	// where it fell back: the marker at or before Through that was written with it, to replay from;
	// zero: that is gone
	Marker Marker
}

// Store keeps the checkpoints of many shards. Calls for different shards may run at once; Get and
// List of a shard may run while it is written.
type Store interface {
	// Load picks the shard's newest whole checkpoint, from which Get and List read until the next
	// Commit. ErrNone where there never was one; ErrCorrupt where there was and none is whole.
	// passedOver tells why a newer one was not taken.
	Load(ctx context.Context, shard int) (m Marker, passedOver error, err error)
	// Get is the dashboard's entry in the newest checkpoint. Where that entry is corrupt, it is the
	// one of the checkpoint before, with FellBack set and a nil error. ErrNone where the dashboard
	// has no entry; ErrCorrupt where it has, and none is whole.
	Get(shard int, k messages.Key) (Entry, error)
	// List calls yield with the summaries (no State) of one tenant's dashboards that begin with
	// prefix and come after the name after, in order of name, until it returns false. It lists what
	// Get finds, each dashboard once; Key and Summary are good until yield returns. Without a
	// tenant it lists all dashboards, whatever prefix and after say.
	List(shard int, tenant, prefix, after string, yield func(Entry) bool) error
	// Begin starts the shard's next checkpoint, in the slot of the older one. One at a time for
	// each shard. After a start, and after a Writer that did not commit, it first does Again for
	// all that the newest checkpoint was the first to hold, since its caller cannot know.
	Begin(shard int) (Writer, error)
	Close() error
}

// Shared is a Store whose checkpoints other nodes read too: Load fetches the shard's newest one
// from where all find it into a store of this process, from which Get and List read and sleeping
// dashboards wake.
type Shared interface {
	Store
	// Lead says whether this process is the shard's one writer from now on. While it is not, Commit
	// keeps the checkpoint here and answers with the zero Position. Whoever becomes the writer
	// begins behind what others have written.
	Lead(shard int, lead bool)
	// Forget drops what this process keeps of the shard.
	Forget(shard int) error
}

// Writer writes one checkpoint. What it has written counts only after Commit: if Commit fails or is
// not called, the next Writer must be given the same again.
type Writer interface {
	// Put keeps nothing of e.
	Put(e Entry) error
	// Again copies the dashboard's entry of the checkpoint before into this one; it did not change
	// since. ErrCorrupt where that entry is corrupt: then Put it.
	Again(k messages.Key) error
	// Remove takes back what this Writer was given of the dashboard.
	Remove(k messages.Key) error
	// Commit returns when the checkpoint is durable. Released is the position of the older of the
	// two kept: nothing up to it is needed any more. Zero where only one is kept.
	Commit(m Marker) (released messages.Position, err error)
	// Abort gives the checkpoint up; after Commit it does nothing.
	Abort() error
}
