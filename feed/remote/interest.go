package remote

import (
	"sync/atomic"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// interest is one dashboard that a gateway wants, open at the owner's feed. It is the feed's
// viewer. The gateway's mu guards all fields that are not atomic.
type interest struct {
	gateway *gateway
	id      uint64
	key     messages.Key
	shard   int
	sub     feed.Subscription // nil: the feed has not accepted it yet
	ended   <-chan struct{}   // closed when the feed gives it up; nil: that never happens
	place   feed.Place        // the place of the last ask

	ask    atomic.Uint64 // number of the last ask
	closed atomic.Bool

	known uint64     // hash of the schema that the gateway has; used only by the sender
	seen  schemaSeen // used only by the sender
	dirty bool       // changed and not sent; the outbox's mu guards it
}

// Deliver implements feed.Viewer.
func (i *interest) Deliver(u *feed.Update) { i.gateway.out.answer(i, u) }

// subscribe opens the interest at the feed.
func (i *interest) subscribe() bool {
	sub, err := i.gateway.server.cfg.Feed.Subscribe(i.key, i)
	if err != nil {
		return false // the gateway sees why in the shard's status, and goes elsewhere or tries again
	}
	i.sub, i.ended = sub, nil
	if e, ok := sub.(feed.Ending); ok {
		i.ended = e.Ended()
	}
	return true
}

// gaveUp reports whether the feed has ended the subscription, and if so closes it here too.
func (i *interest) gaveUp() bool {
	if i.sub == nil || i.ended == nil {
		return false
	}
	select {
	case <-i.ended:
		i.sub.Close()
		i.sub, i.ended = nil, nil
		return true
	default:
		return false
	}
}

// askFeed passes on the last ask.
func (i *interest) askFeed() {
	if i.sub != nil && i.ask.Load() > 0 {
		i.sub.Ask(i.place)
	}
}
