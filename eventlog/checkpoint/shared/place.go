package shared

import (
	"context"
	"errors"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// ErrBehind says that others have published a checkpoint that lies beyond this one: nothing was
// published.
var ErrBehind = errors.New("another process has published a newer one: this process publishes once it is beyond that")

// ErrLost says that this process writes the shard's checkpoints no more, or not yet: another one
// does.
var ErrLost = errors.New("another process writes the shard's checkpoints")

// Place is where all processes find the checkpoints. Calls for different shards may run at once;
// for one shard there is one at a time.
type Place interface {
	// Name is where the shard's checkpoints lie: the same in all processes, and another one for
	// every shard and cluster. What was kept here under another name is not believed.
	Name(shard int) (string, error)
	// Fetch writes the newest whole checkpoint beyond the position have into a writer it gets from
	// begin. One that turns out not to be whole is aborted, and the one before is tried, with a new
	// writer: passedOver tells why. fetched is false where the newest whole one is not beyond have.
	// checkpoint.ErrNone and ErrCorrupt as Store.Load gives them.
	Fetch(ctx context.Context, shard int, have messages.Position, begin func() (checkpoint.Writer, error)) (fetched bool, passedOver, err error)
	// Lead makes this process the shard's writer, and reads what others have written, to the end.
	// ErrLost where another process holds the shard.
	Lead(ctx context.Context, shard int) (Leader, error)
	Close() error
}

// Leader writes one shard's checkpoints where all find them. One goroutine at a time calls it.
type Leader interface {
	// Publish writes the checkpoint and returns when it is durable there. older is the position of
	// the whole one before it that is kept too; zero where there is none. One at the position of
	// the newest there says the same, since a fold is a function of its log: nothing is written,
	// and older is zero. ErrBehind where a newer one was found; ErrLost where another process took
	// the shard. After any other error too, nothing that counted before counts less.
	Publish(ctx context.Context, m checkpoint.Marker, local Local) (older messages.Position, err error)
	Close() error
}

// Local is the checkpoint to be published, as this process has it.
type Local interface {
	// Sequence numbers the process's checkpoints of the shard since its last Load; dense and
	// increasing.
	Sequence() uint64
	// Each calls yield with the dashboards that changed after the checkpoint of that sequence
	// number, in order of name; after 0: with all. The entry is good until yield returns.
	Each(after uint64, yield func(checkpoint.Entry) error) error
}
