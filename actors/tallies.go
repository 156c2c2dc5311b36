package actors

import (
	"sync/atomic"
	"time"
)

// tallies holds what a host's shards count for its metrics. It outlives the shards, since no
// counter may fall.
type tallies struct {
	records           [4]atomic.Uint64 // by kind
	panics            atomic.Uint64    // panics of folds
	faults            atomic.Uint64    // panics outside a fold
	corrupt           atomic.Uint64
	truncated         atomic.Uint64
	replays           atomic.Uint64 // times that a log was read again for dashboards
	checkpoints       atomic.Uint64
	failedCheckpoints atomic.Uint64
	forwarded         atomic.Uint64
	unroutable        atomic.Uint64 // records that could not be brought to any home
	holes             atomic.Uint64 // accepted holes
	replayed          atomic.Uint64 // records read by loading shards
	takenBack         atomic.Uint64 // viewers taken back
	loads, drops      atomic.Uint64
	lives             atomic.Uint64 // loads that became live
	loading           atomic.Int64  // ns that the loads took that became live
}

func (t *tallies) count(kinds [4]uint64) {
	for k, n := range kinds {
		if n > 0 {
			t.records[k].Add(n)
		}
	}
}

// loaded counts a shard that has become live for the first time.
func (t *tallies) loaded(took time.Duration) {
	t.lives.Add(1)
	t.loading.Add(int64(took))
}

// busyBounds holds the upper bounds of the buckets of dashboard_processing_seconds, in ns.
var busyBounds = [...]int64{1_000, 5_000, 20_000, 100_000, 1_000_000, 100_000_000}

// busy counts what one awake dashboard did since it was last scraped. It is small, because there
// are many.
type busy struct {
	counts [len(busyBounds) + 1]uint32 // records by how long each took
	nanos  int64
}

// take counts a run. Its records share its time evenly.
func (b *busy) take(r *run) {
	if r.folded == 0 {
		return
	}
	each := r.nanos / int64(r.folded)
	i := 0
	for i < len(busyBounds) && each > busyBounds[i] {
		i++
	}
	b.counts[i] += uint32(r.folded)
	b.nanos += r.nanos
}

// full reports whether a count is close to overflow, as happens if nobody scrapes.
func (b *busy) full() bool {
	for _, c := range b.counts {
		if c > 1<<31 {
			return true
		}
	}
	return false
}

func (b *busy) records() (n uint64) {
	for _, c := range b.counts {
		n += uint64(c)
	}
	return n
}

// busyTotal sums up what dashboards did.
type busyTotal struct {
	counts [len(busyBounds) + 1]uint64
	nanos  int64
}

// join adds the counts of b and resets b.
func (t *busyTotal) join(b *busy) {
	for i, c := range b.counts {
		t.counts[i] += uint64(c)
	}
	t.nanos += b.nanos
	*b = busy{}
}

func (t *busyTotal) add(o busyTotal) {
	for i, c := range o.counts {
		t.counts[i] += c
	}
	t.nanos += o.nanos
}

func (t *busyTotal) records() (n uint64) {
	for _, c := range t.counts {
		n += c
	}
	return n
}
