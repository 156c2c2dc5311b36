package gateway

import (
	"time"

	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// dialect is the form in which a cohort's clients are told of a view: protocol or plain. It is part
// of a cohort's key. The mirror's mu is held in all calls.
type dialect interface {
	// touched reports whether u changes anything that the clients are told.
	touched(c *cohort, u *cells.Update) bool
	// payloads returns the messages that tell an update, for the whole cohort. initial says that the
	// client holds nothing. If there are no payloads, nothing is sent.
	payloads(c *cohort, u *cells.Update, initial bool) [][]byte
	// notices returns the messages to one client that precede its update. If wait is true, no update
	// may follow yet.
	notices(s *subscription, now time.Time) (out []message, wait bool)
	// places reports whether clients hold places. Such clients are also told of versions that change
	// nothing.
	places() bool
}

// protocol is the JSON of dashfeed.v1.
type protocol struct{}

func (protocol) places() bool { return true }

func (protocol) touched(c *cohort, u *cells.Update) bool { return c.proj.Touched(u) }

// payloads returns one update. Log time is included if its second has changed since it was last
// sent, and in all frames other than the common one.
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

// notices tells what has changed since the client was last told: its view, how to get to its place,
// its state.
func (protocol) notices(s *subscription, now time.Time) (out []message, wait bool) {
	if s.cohort.lacks != nil {
		return s.refuse(s.cohort.lacks), true
	}
	return s.changes(now)
}
