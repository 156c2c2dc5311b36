package actors

import (
	"sync"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// subscription is one viewer's interest. An ask goes to the shard, which keeps it as pending and passes it on to the
// dashboard if that is awake; so an ask that meets a dashboard going to sleep, or one without record, is not lost. Asks
// are numbered: whoever answers an answered one answers nobody.
type subscription struct {
	shard  *shard
	key    messages.Key
	viewer feed.Viewer

	pending   ask  // shard's: the last one asked
	toldEmpty bool // shard's: it knows that there is no record yet
	open      bool // shard's: it is in its entry

	mu       sync.Mutex
	asked    uint64 // number of the last ask
	answered uint64 // number of the last ask that was answered
	closed   bool
}

// ask is what a viewer asks: what changed after the place.
type ask struct {
	feed.Place
	number uint64 // from 1; 0: never asked
}

// Ask implements feed.Subscription.
func (s *subscription) Ask(at feed.Place) {
	s.mu.Lock()
	s.asked++
	a := ask{at, s.asked}
	closed := s.closed
	s.mu.Unlock()
	if !closed {
		s.shard.tell(&asking{sub: s, ask: a})
	}
}

// Close implements feed.Subscription. It waits for a Deliver under way: do not hold in Deliver what the caller of Close holds.
func (s *subscription) Close() {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if !again {
		s.shard.subscriptions.Add(-1)
		s.shard.tell(&closing{sub: s})
	}
}

// deliver answers the ask, unless it was answered, replaced or closed.
func (s *subscription) deliver(a ask, u *feed.Update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || a.number != s.asked || a.number <= s.answered {
		return
	}
	s.answered = a.number
	s.viewer.Deliver(u)
}

// waits reports whether the ask still wants an answer.
func (s *subscription) waits(a ask) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && a.number == s.asked && a.number > s.answered
}
