package broker

import (
	"math/rand/v2"
	"time"

	"github.com/apache/pulsar-client-go/pulsar/backoff"
)

// policy retries after 50 ms, and at least once a second; with the client's own policy, the waits
// grow to a minute.
type policy struct{ wait time.Duration }

// LeastWait is the first wait after a failure, MostWait the longest one.
const (
	LeastWait = 50 * time.Millisecond
	MostWait  = time.Second
)

// NewBackoff returns the policy for the client's producers, consumers and readers.
func NewBackoff() backoff.Policy { return &policy{} }

func (b *policy) Next() time.Duration {
	b.wait = min(max(2*b.wait, LeastWait), MostWait)
	return b.wait - rand.N(b.wait/4)
}

func (b *policy) IsMaxBackoffReached() bool { return b.wait >= MostWait }
func (b *policy) Reset()                    { b.wait = 0 }
