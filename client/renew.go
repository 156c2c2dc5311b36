package client

import (
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

const (
	refreshID   = -1              // no other request of a connection has this id
	renewAtMost = 5 * time.Second // shortest time between two tokens of a connection
)

// aboutToken handles a frame about the token if the connection renews it, and reports whether
// nobody else needs the frame.
func (c *connection) aboutToken(f wire.Frame) bool {
	if !c.tokens.renewable() {
		return false
	}
	switch f := f.(type) {
	case *wire.Connected:
		if f.Expires > 0 {
			c.expiresIn(renewAfter(f.Expires))
		}
	case *wire.Refreshed:
		c.expiresIn(renewAfter(f.Expires))
	case *wire.Status:
		if f.State == wire.StateExpiring {
			c.expiresIn(0)
			return true
		}
	case *wire.ErrorFrame: // the old token counts on; the renewer tries again
		return f.ID != nil && *f.ID == refreshID
	}
	return false
}

// renewAfter returns when to replace a token that lasts so many seconds: after four fifths of them.
func renewAfter(seconds int64) time.Duration {
	return time.Duration(min(max(seconds, 1), 1<<31)) * time.Second * 4 / 5
}

// expiresIn tells the renewer in what time to get a new token. The newest time counts.
func (c *connection) expiresIn(d time.Duration) {
	select {
	case <-c.renew:
	default:
	}
	c.renew <- d // never blocks: only the reader sends
}

// renewAll gets a new token and sends it whenever the old one is about to expire. Until the server
// has taken one, it tries again with growing waits.
func (c *connection) renewAll() {
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	var b backoff
	last := time.Now().Add(-renewAtMost)
	for {
		select {
		case <-c.quit.Done():
			return
		case d := <-c.renew:
			if d > 0 {
				b.reset()
			}
			timer.Reset(max(d, time.Until(last.Add(renewAtMost))))
		case <-timer.C:
			last = time.Now()
			c.refresh()
			timer.Reset(max(renewAtMost, b.next(0)))
		}
	}
}

// refresh sends another token, if there is one.
func (c *connection) refresh() {
	old := c.bearer()
	text, err := c.tokens.other(c.quit, old)
	if err != nil || text == old {
		return
	}
	c.mu.Lock()
	c.token = text
	c.mu.Unlock()
	id := int64(refreshID)
	_ = c.send(&wire.Refresh{ID: &id, Token: text}) // if it fails, the reader ends too
}

// bearer returns the newest token of the connection.
func (c *connection) bearer() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}
