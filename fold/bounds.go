package fold

import (
	"github.com/dashfeed/dashfeed/fold/aggregate"
)

// Format is the number of the fold: two binaries with different formats never share an epoch. Raise
// it with every change after which the same log gives other bytes.
const Format = 2

// The bounds of a dashboard's state.
const (
	MaxCells   = 50_000 // live cells; new keys beyond it go to their window's overflow row
	MaxMetrics = 1000   // newest values; events of more metrics are counted (MetricsDropped)
	MaxListed  = 100    // entries of the late list, and of the refused list
	// ids remembered; beyond it the oldest are forgotten, and events as old as those are refused
	// (horizon). Ids that a client invented have a bound of their own, as large.
	MaxIDs    = 100_000
	MaxRanges = 1024 // ranges of sequences of one producer
	// producers whose sequences are remembered; events of others are refused (horizon)
	MaxProducers = 1024
	// ranges of all producers; beyond it a producer that needs another closes its lowest hole
	MaxAllRanges = 65_536
	// a dashboard's encoded state, as stateBytes counts it; beyond it new keys go to overflow rows
	MaxStateBytes = 4 << 20
	MaxReasons    = 32   // reasons of invalid events counted by name; the rest count as "other"
	MaxOverlap    = 1024 // windows that one event can fall into (hopping)
	MaxSamples    = aggregate.MaxSamples
)

// farthest is the greatest distance of a time from 1970 that the fold computes with, ms; far beyond
// it sums of times and durations would overflow. Events never come near it (event.MaxTime); append
// times are clamped to it.
const farthest = 1 << 60

func clampTime(t int64) int64 { return min(max(t, -farthest), farthest) }

// floorTo returns the greatest multiple of size that is not after t.
func floorTo(t, size int64) int64 {
	m := t % size
	if m < 0 {
		m += size
	}
	return t - m
}
