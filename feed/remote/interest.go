package remote

import (
	"sync/atomic"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// interest is one dashboard that a gateway wants, open at the owner's feed. It is the feed's
// viewer. What is not atomic is guarded by the gateway's mu.
type interest struct {
	gateway *gateway
	id      uint64
	key     messages.Key
	shard   int
	sub     feed.Subscription // nil: the feed has not taken it yet
	ended   <-chan struct{}   // closed where the feed gave it up; nil: it never does
	place   feed.Place        // asked from

	ask    atomic.Uint64 // number of the last ask
	closed atomic.Bool

	known uint64     // hash of the schema that the gateway has; the sender's
	seen  schemaSeen // the sender's
	dirty bool       // changed and not sent; guarded by the outbox
}

// Deliver implements feed.Viewer.
func (i *interest) Deliver(u *feed.Update) { i.gateway.out.answer(i, u) }

// subscribe opens it at the feed.
func (i *interest) subscribe() bool {
	sub, err := i.gateway.server.cfg.Feed.Subscribe(i.key, i)
	if err != nil {
		return false // the gateway's status says why, and it goes elsewhere or comes again
	}
	i.sub, i.ended = sub, nil
	if e, ok := sub.(feed.Ending); ok {
		i.ended = e.Ended()
	}
	return true
}

// gaveUp reports whether the feed has ended the subscription; it is then closed here too.
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

// askFeed passes the last ask on.
func (i *interest) askFeed() {
	if i.sub != nil && i.ask.Load() > 0 {
		i.sub.Ask(i.place)
	}
}
