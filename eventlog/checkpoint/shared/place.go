package shared

import (
	"context"
	"errors"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// ErrBehind says that another process has published a checkpoint beyond this one: nothing was
// published.
var ErrBehind = errors.New("another process has published a newer one: this process publishes once it is beyond that")

// ErrLost says that this process no longer, or not yet, writes the shard's checkpoints: another one
// does.
var ErrLost = errors.New("another process writes the shard's checkpoints")

// Place is where all processes find the checkpoints. Calls for different shards may run
// concurrently; calls for one shard run one at a time.
type Place interface {
	// Name returns a name of the shard's checkpoints that is the same in all processes, and
	// different for every shard and cluster. The scratch ignores checkpoints of another name.
	Name(shard int) (string, error)
	// Fetch writes the newest whole checkpoint beyond the position have into a writer that it gets
	// from begin. If that checkpoint turns out not to be whole, Fetch aborts the writer and tries
	// the previous one with a new writer; passedOver says why. fetched is false if the newest whole
	// one is not beyond have. Fetch returns checkpoint.ErrNone and ErrCorrupt as Store.Load does.
	Fetch(ctx context.Context, shard int, have messages.Position, begin func() (checkpoint.Writer, error)) (fetched bool, passedOver, err error)
	// Newest returns the position of the newest checkpoint without reading it; zero if there is
	// none. Unlike the other calls it may run at any time.
	Newest(ctx context.Context, shard int) (messages.Position, error)
	// Lead makes this process the shard's writer, and reads all that others have written. It
	// returns ErrLost if another process holds the shard.
	Lead(ctx context.Context, shard int) (Leader, error)
	Close() error
}

// Leader writes one shard's checkpoints to the place. One goroutine at a time calls it.
type Leader interface {
	// Publish writes the checkpoint and returns when it is durable in the place. older is the
	// position of the whole checkpoint before it that the place keeps too; zero if there is none. A
	// checkpoint at the position of the newest one has the same content, since a fold is a function
	// of its log: then Publish writes nothing, and older is zero. It returns ErrBehind if the place
	// has a newer one, and ErrLost if another process took the shard. After an error the
	// checkpoints in the place still count.
	Publish(ctx context.Context, m checkpoint.Marker, local Local) (older messages.Position, err error)
	Close() error
}

// Local is the checkpoint to publish, as this process has it.
type Local interface {
	// Sequence numbers the process's checkpoints of the shard since its last Load; dense and
	// increasing.
	Sequence() uint64
	// Each calls yield with the dashboards that changed after the checkpoint with that sequence
	// number, ordered by name; after 0: with all dashboards. The entry is valid until yield
	// returns.
	Each(after uint64, yield func(checkpoint.Entry) error) error
}
