package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// The waits between attempts.
const (
	minBackoff  = time.Second
	maxBackoff  = 30 * time.Second
	stableAfter = 10 * time.Second // a connection that lived so long was stable
)

// backoff counts failed attempts and says how long to wait before the next.
type backoff struct {
	attempts int
}

// next is the wait before the next attempt: anything up to 1 s, 2 s, 4 s … 30 s, so that clients
// that fell together do not come back together; after, the server's own word, wins where it is
// longer.
func (b *backoff) next(after time.Duration) time.Duration {
	ceiling := maxBackoff
	if b.attempts < 5 {
		ceiling = minBackoff << b.attempts
	}
	b.attempts++
	return max(after, rand.N(ceiling))
}

// reset begins anew, after a success.
func (b *backoff) reset() { b.attempts = 0 }

// pause waits, or returns early with ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
