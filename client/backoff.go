package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// Bounds of the waits between attempts.
const (
	minBackoff  = time.Second
	maxBackoff  = 30 * time.Second
	stableAfter = 10 * time.Second // a connection that stayed up this long was stable
)

// backoff counts failed attempts and chooses the wait before the next one.
type backoff struct {
	attempts int
}

// next returns the wait before the next attempt: a random time of up to 1 s, 2 s, 4 s … 30 s, so
// that clients which failed together do not return together. A longer wait that the server asked
// for, after, wins.
func (b *backoff) next(after time.Duration) time.Duration {
	ceiling := maxBackoff
	if b.attempts < 5 {
		ceiling = minBackoff << b.attempts
	}
	b.attempts++
	return max(after, rand.N(ceiling))
}

// reset starts again from the shortest wait, after a success.
func (b *backoff) reset() { b.attempts = 0 }

// pause waits for d, or returns early with ctx's error.
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
