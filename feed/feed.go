// Package feed is the contract between owners and viewers of dashboards: an owner (actors.Host, or
// the remote end of a link) offers a Feed, and a gateway uses it. Every request names a version, so
// an answer may be lost, late or repeated without harm.
package feed

import (
	"context"
	"errors"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// The errors of a feed.
var (
	ErrUnknown   = errors.New("dashboard has no record")
	ErrNotInTime = errors.New("position not reached in time")
	ErrStarting  = errors.New("shard is loading")
	ErrNotHere   = errors.New("shard is not on this node")
	ErrUnserved  = errors.New("no node serves the shard")
	// the position in a Query's After is in another partition
	ErrPartition = errors.New("position is of another partition than the dashboard's")
	ErrClosed    = errors.New("feed closed")
	// the shard has reached its limit of dashboards
	ErrCrowded = errors.New("dashboard has no record, and its shard accepts no new dashboard")
)

// Update is what changed of one dashboard between two versions. All receivers share it: nobody
// changes it.
type Update struct {
	cells.Update // the cells of every panel, also of the hidden panel Metrics
	Key          messages.Key
	Position     messages.Position // of the last record folded at To
	Time         int64             // log time at To, ms
	Watermark    int64             // ms; messages.NoTime if no event was accepted
	Schema       wire.Schema
	// number of the panel with the newest value per metric; Schema ends before it unless a visible
	// panel serves
	Metrics int
	// true if From is 0 although the viewer asked from a version of this epoch: tombstones were
	// gone
	Reset bool
}

// Viewer receives updates; a gateway's mirror is one. Deliver must return soon and must not call
// back into the feed.
type Viewer interface {
	Deliver(u *Update)
}

// At returns the place of a copy that has applied the Update.
func (u *Update) At() Place { return Place{u.Epoch, u.To, u.Position} }

// Place is how far a viewer has come.
type Place struct {
	Epoch    messages.Epoch
	Version  uint64
	Position messages.Position // of the last record folded; tells which of two epochs is older
}

// Subscription is one viewer's interest in one dashboard. It keeps the dashboard awake.
type Subscription interface {
	// Ask asks once for what changed after the place. The answer comes by Deliver: as soon as the
	// dashboard is beyond the place in this epoch, or, as a snapshot, if the epoch differs and the
	// dashboard has reached the position. So an owner that is behind never sends a viewer back. A
	// second Ask replaces an unanswered one. Each Ask gets one answer: a viewer holds back by not
	// asking.
	Ask(at Place)
	// Close ends the interest. No Deliver begins after Close returns.
	Close()
}

// Ending is a Subscription that can end by itself, because its owner gave up the shard. It then
// sends no more answers; a viewer that is still interested closes it and subscribes again, here or
// elsewhere.
type Ending interface {
	Subscription
	// Ended returns a channel that is closed when the subscription ends by itself; Close does not
	// close it.
	Ended() <-chan struct{}
}

// Query is one reading of a dashboard.
type Query struct {
	Epoch     messages.Epoch // 0, with Since 0: from the beginning
	Since     uint64
	After     *After
	Lists     bool // also return the bounded lists of late and refused events
	MustExist bool
}

// After makes a Read wait until the fold has passed a position; the context limits the wait.
type After struct {
	Partition int
	Position  messages.Position
}

// Reading is the answer to a Query.
type Reading struct {
	Update
	Counters   messages.Counters
	Late       []event.Listed
	Refused    []event.Listed
	Definition DefinitionInForce
}

// DefinitionInForce is the definition that a dashboard folds by.
type DefinitionInForce struct {
	Canonical []byte // canonical JSON
	Hash      string
	Revision  uint64
	Default   bool // the tenant's default: the dashboard has no definition of its own
}

// Summary is a line of a listing.
type Summary struct {
	Key     messages.Key
	Title   string
	Epoch   messages.Epoch
	Version uint64
	Time    int64
	Panels  int
	Scoped  bool // it has a scope: not every viewer sees all rows
}

// Status says how current the numbers of a shard's dashboards are.
type Status struct {
	// wire.StateLive; StateMoving: no node serves the shard now, and one is loading it; StateStale:
	// no node that has it can be reached
	State string
	Lag   int64     // how far, in ms, the fold is behind the newest record of its log
	Since time.Time // when it was last live; zero while it is live
}

// Feed is what owners offer. It is safe for concurrent use.
type Feed interface {
	// Subscribe opens a subscription; the dashboard need not have a record yet. It returns
	// ErrNotHere if another node has the shard. The Subscription may be an Ending.
	Subscribe(k messages.Key, v Viewer) (Subscription, error)
	// Read reads once. It returns ErrUnknown if the dashboard has no record but must exist,
	// ErrCrowded if it cannot get one, and ErrNotInTime if ctx ended before After.
	Read(ctx context.Context, k messages.Key, q Query) (Reading, error)
	// List returns a tenant's dashboards with the prefix, ordered by name, from after the name
	// after.
	List(ctx context.Context, tenant, prefix, after string, limit int) ([]Summary, error)
	// Default returns the definition in force for a tenant's dashboards without one of their own.
	Default(ctx context.Context, k messages.Key) (DefinitionInForce, error)
	// Ready returns nil unless the one that offers the feed is starting or cut off. Trouble with
	// one shard is reported to those who read it: ErrStarting while it loads, ErrUnserved if no
	// node has it.
	Ready() error
	// Status returns how current the fold of the key's shard is.
	Status(k messages.Key) Status
}
