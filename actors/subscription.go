package actors

import (
	"sync"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// subscription is one viewer's interest. An ask goes to the shard, which keeps it as pending and
// passes it on to the dashboard if that is awake. So an ask is not lost if its dashboard is going
// to sleep or has no record. Asks are numbered: the answer to an ask that was answered already is
// dropped.
type subscription struct {
	key    messages.Key
	viewer feed.Viewer
	ended  <-chan struct{}

	pending   ask  // used by the shard: the last ask
	toldEmpty bool // used by the shard: the viewer knows that there is no record yet
	open      bool // used by the shard: it is in its entry

	mu       sync.Mutex
	shard    *shard
	asked    ask    // the last ask
	answered uint64 // number of the last ask that was answered
	closed   bool
}

var _ feed.Ending = (*subscription)(nil)

// ask asks for what changed after the place.
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

// Close implements feed.Subscription. It waits for a Deliver under way, so the caller must not hold
// a lock that Deliver takes.
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

// move moves the subscription, with the ask that waits, to the successor of its shard, which has
// ended. Messages to the old shard are lost. The last ask is sent to the new shard again.
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

// enter adds the subscription to the shard, or to its successor.
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

// leave removes the subscription. It returns the shard that had it.
func (s *shard) leave(sub *subscription) *shard {
	s.viewing.Lock()
	defer s.viewing.Unlock()
	if s.successor != nil {
		return s.successor.leave(sub)
	}
	delete(s.viewers, sub)
	return s
}

// subscriptions returns the number of subscriptions.
func (s *shard) subscriptions() int {
	s.viewing.Lock()
	defer s.viewing.Unlock()
	return len(s.viewers)
}

// deliver answers the ask, unless it was answered or replaced, or the subscription is closed.
func (s *subscription) deliver(a ask, u *feed.Update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || a.number != s.asked.number || a.number <= s.answered {
		return
	}
	s.answered = a.number
	s.viewer.Deliver(u)
}

// waits reports whether the ask still needs an answer.
func (s *subscription) waits(a ask) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && a.number == s.asked.number && a.number > s.answered
}
