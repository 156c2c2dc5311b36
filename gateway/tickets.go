package gateway

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/gateway/token"
	"github.com/dashfeed/dashfeed/messages/wire"
)

const (
	ticketTime = 30 * time.Second
	maxTickets = 10_000
)

// tickets are identities that open one connection each, for clients that can send no header. They
// are in memory only, so another gateway does not know them.
type tickets struct {
	mu   sync.Mutex
	open map[string]ticket
}

type ticket struct {
	identity *token.Identity
	until    time.Time
}

func newTickets() *tickets { return &tickets{open: map[string]ticket{}} }

// issue returns a new ticket.
func (ts *tickets) issue(id *token.Identity, now time.Time) (string, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.open) >= maxTickets {
		return "", wire.Errorf(wire.CodeLimit, "%d tickets wait to be used: try again", len(ts.open))
	}
	text := rand.Text()
	ts.open[text] = ticket{id, now.Add(ticketTime)}
	return text, nil
}

// take returns the identity of a ticket, once; nil if there is no such ticket.
func (ts *tickets) take(text string, now time.Time) *token.Identity {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t, found := ts.open[text]
	delete(ts.open, text)
	if !found || !now.Before(t.until) {
		return nil
	}
	return t.identity
}

// sweep drops the tickets that have expired.
func (ts *tickets) sweep(now time.Time) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for text, t := range ts.open {
		if !now.Before(t.until) {
			delete(ts.open, text)
		}
	}
}
