package actors

import (
	"sync"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// subscription is one viewer's interest. An ask goes to the shard, which keeps it as pending and
// passes it on to the dashboard if that is awake; so an ask that meets a dashboard going to sleep,
// or one without record, is not lost. Asks are numbered: whoever answers an answered one answers
// nobody.
type subscription struct {
	key    messages.Key
	viewer feed.Viewer
	ended  <-chan struct{}

	pending   ask  // shard's: the last one asked
	toldEmpty bool // shard's: it knows that there is no record yet
	open      bool // shard's: it is in its entry

	mu       sync.Mutex
	shard    *shard
	asked    ask    // the last one
	answered uint64 // number of the last ask that was answered
	closed   bool
}

var _ feed.Ending = (*subscription)(nil)

// ask is what a viewer asks: what changed after the place.
type ask struct {
	feed.Place
	number uint64 // from 1; 0: never asked
}

// Ask implements feed.Subscription.
func (s *subscription) Ask(at feed.Place) {
	s.mu.Lock()
	s.asked = ask{at, s.asked.number + 1}
	a, shard, closed := s.asked, s.shard, s.closed
	s.mu.Unlock()
	if !closed {
		shard.tell(&asking{sub: s, ask: a})
	}
}

// Close implements feed.Subscription. It waits for a Deliver under way: do not hold in Deliver what
// the caller of Close holds.
func (s *subscription) Close() {
	s.mu.Lock()
	again, shard := s.closed, s.shard
	s.closed = true
	s.mu.Unlock()
	if again {
		return
	}
	shard.leave(s).tell(&closing{sub: s})
}

// Ended implements feed.Ending.
func (s *subscription) Ended() <-chan struct{} { return s.ended }

// move takes the subscription to the shard that comes after its own, which has ended, with the ask
// that waits. What was told to the old one is lost, and what Ask tells it now is this ask.
func (s *subscription) move(to *shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shard = to
	s.pending, s.toldEmpty, s.open = ask{}, false, false
	to.tell(&subscribing{s})
	if s.asked.number > s.answered {
		to.tell(&asking{sub: s, ask: s.asked})
	}
}

// enter adds the subscription to the shard's, or to its successor's.
func (s *shard) enter(sub *subscription) error {
	s.viewing.Lock()
	defer s.viewing.Unlock()
	if s.successor != nil {
		return s.successor.enter(sub)
	}
	if len(s.viewers) >= maxSubscriptions {
		return ErrLimit
	}
	s.viewers[sub] = struct{}{}
	sub.shard = s
	s.tell(&subscribing{sub})
	return nil
}

// leave takes it out, and gives the shard that had it.
func (s *shard) leave(sub *subscription) *shard {
	s.viewing.Lock()
	defer s.viewing.Unlock()
	if s.successor != nil {
		return s.successor.leave(sub)
	}
	delete(s.viewers, sub)
	return s
}

// subscriptions is how many there are.
func (s *shard) subscriptions() int {
	s.viewing.Lock()
	defer s.viewing.Unlock()
	return len(s.viewers)
}

// deliver answers the ask, unless it was answered, replaced or closed.
func (s *subscription) deliver(a ask, u *feed.Update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || a.number != s.asked.number || a.number <= s.answered {
		return
	}
	s.answered = a.number
	s.viewer.Deliver(u)
}

// waits reports whether the ask still wants an answer.
func (s *subscription) waits(a ask) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && a.number == s.asked.number && a.number > s.answered
}
