// Package feed is the contract between owners and viewers of dashboards: an owner (actors.Host, or
// the far end of a link) offers a Feed, a gateway holds it. Everything is asked for by version, so
// an answer may be lost, late or come twice and nothing breaks.
package feed

import (
	"context"
	"errors"
	"time"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Errors of a feed.
var (
	ErrUnknown   = errors.New("dashboard has no record")
	ErrNotInTime = errors.New("position not reached in time")
	ErrStarting  = errors.New("shard is loading")
	ErrNotHere   = errors.New("shard is not on this node")
	ErrUnserved  = errors.New("no node serves the shard")
	// of a Query's After
	ErrPartition = errors.New("position is of another partition than the dashboard's")
	ErrClosed    = errors.New("feed closed")
	// it has as many dashboards as it may
	ErrCrowded = errors.New("the dashboard has no record, and its shard takes none of it")
)

// Update is what changed of one dashboard between two versions. It is shared by all who get it:
// nobody changes it.
type Update struct {
	cells.Update // every panel's cells, also those of the hidden panel Metrics
	Key          messages.Key
	Position     messages.Position // of the last record folded at To
	Time         int64             // log time at To, ms
	Watermark    int64             // ms; fold.NoTime where no event was accepted
	Schema       wire.Schema
	// number of the panel of the newest value per metric; Schema ends before it unless a visible
	// panel serves
	Metrics int
	// From is 0 though the viewer asked from a version of this epoch: tombstones were gone
	Reset bool
}

// Viewer is told what changed; a gateway's mirror is one. Deliver must return soon and not call
// back into the feed.
type Viewer interface {
	Deliver(u *Update)
}

// At is the place a copy of Update stands at.
func (u *Update) At() Place { return Place{u.Epoch, u.To, u.Position} }

// Place is how far a viewer has come.
type Place struct {
	Epoch    messages.Epoch
	Version  uint64
	Position messages.Position // of the last record in it: tells which of two epochs is the older
}

// Subscription is one viewer's interest in one dashboard, which keeps it awake.
type Subscription interface {
	// Ask asks once for what changed after the place. The answer comes by Deliver, as soon as the
	// dashboard is beyond it in this epoch, or, from 0, where the epoch is another and the
	// dashboard has come as far as the position: who asks an owner that is behind is never taken
	// back. A second Ask replaces an unanswered one. Not asking is how a viewer holds back: one
	// answer an Ask.
	Ask(at Place)
	// Close ends the interest. No Deliver begins after it returns.
	Close()
}

// Ending is a Subscription that can end by itself: its owner gave the shard up. Then no answer
// comes from it any more; whoever still has an interest closes it and subscribes elsewhere, or
// again.
type Ending interface {
	Subscription
	// Ended is closed when the subscription has ended so; Close does not close it.
	Ended() <-chan struct{}
}

// Query is one reading of a dashboard.
type Query struct {
	Epoch     messages.Epoch // 0 with Since 0: from the beginning
	Since     uint64
	After     *After
	Lists     bool // also the bounded lists of late and refused events
	MustExist bool
}

// After waits until the fold has passed a position; the context bounds how long.
type After struct {
	Partition int
	Position  messages.Position
}

// Reading is the answer to a Query.
type Reading struct {
	Update
	Counters   fold.Counters
	Late       []fold.Listed
	Refused    []fold.Listed
	Definition DefinitionInForce
}

// DefinitionInForce is the definition a dashboard folds by.
type DefinitionInForce struct {
	Canonical []byte // canonical JSON
	Hash      string
	Revision  uint64
	Default   bool // the tenant's default; nobody defined this dashboard
}

// Summary is a line of a listing.
type Summary struct {
	Key     messages.Key
	Title   string
	Epoch   messages.Epoch
	Version uint64
	Time    int64
	Panels  int
}

// Status is how the numbers of a shard's dashboards stand to the world.
type Status struct {
	// wire.StateLive; StateMoving: nobody serves it at the moment, somebody loads it; StateStale:
	// nobody is heard to
	State string
	Lag   int64     // how far, in ms, the fold is behind the newest record of its log
	Since time.Time // when it was last live; zero where it is
}

// Feed is what owners offer. Any number of goroutines may call it.
type Feed interface {
	// Subscribe opens a subscription; the dashboard need not have a record yet. ErrNotHere where
	// somebody else has its shard; it may be an Ending.
	Subscribe(k messages.Key, v Viewer) (Subscription, error)
	// Read reads once. ErrUnknown where the dashboard has no record and must exist; ErrCrowded
	// where it can't get one; ErrNotInTime where ctx ended before After.
	Read(ctx context.Context, k messages.Key, q Query) (Reading, error)
	// List lists a tenant's dashboards with the prefix, after the name after, by name.
	List(ctx context.Context, tenant, prefix, after string, limit int) ([]Summary, error)
	// Default is the definition in force for a tenant's dashboards that have none of their own.
	Default(ctx context.Context, k messages.Key) (DefinitionInForce, error)
	// Ready is nil when whoever offers the feed is: not still starting, and not cut off. What is
	// wrong with one shard is told to those who read it: ErrStarting while it is loaded,
	// ErrUnserved where nobody has it.
	Ready() error
	// Status is how the key's shard stands to its log.
	Status(k messages.Key) Status
}
