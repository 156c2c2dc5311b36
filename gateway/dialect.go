package gateway

import (
	"time"

	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// dialect is in what words a cohort's clients are told of a view: protocol or plain. It is part of
// a cohort's key. All is called with the mirror's mu held.
type dialect interface {
	// touched reports whether the clients are told anything of u.
	touched(c *cohort, u *cells.Update) bool
	// payloads are the messages that tell an update, for the whole cohort; initial: to one who
	// holds nothing. Where there are none, nothing is sent.
	payloads(c *cohort, u *cells.Update, initial bool) [][]byte
	// notices are the messages to one client that go before its update; where wait is true, no
	// update may follow yet.
	notices(s *subscription, now time.Time) (out []message, wait bool)
	// places reports whether clients hold places, so that they are told of versions that change
	// nothing.
	places() bool
}

// protocol is the JSON of dashfeed.v1.
type protocol struct{}

func (protocol) places() bool { return true }

func (protocol) touched(c *cohort, u *cells.Update) bool { return c.proj.Touched(u) }

// payloads is one update. Log time goes along where it moved over a second since it last did, and
// in whatever is not the common frame.
func (protocol) payloads(c *cohort, u *cells.Update, _ bool) [][]byte {
	at := c.m.time
	if u.From == c.prev && u.From != 0 {
		if at/1000 == c.sentTime/1000 {
			at = 0
		} else {
			c.sentTime = at
		}
	}
	b := wire.AppendUpdate(make([]byte, 0, c.sizeHint+128), c.proj, u, at)
	if u.From == c.prev {
		c.sizeHint = len(b)
	}
	return [][]byte{b}
}

// notices tell what is not as the client was told last: its view, the way to its place, its state.
func (protocol) notices(s *subscription, now time.Time) (out []message, wait bool) {
	if s.cohort.lacks != nil {
		return s.refuse(), true
	}
	return s.changes(now)
}
