package core

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWaitsAreThoseOfTheSleepers compares waits with a plain list, in any order of sleeping, waking
// and log time.
func TestWaitsAreThoseOfTheSleepers(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		var w waits
		var sleepers [][]int64
		logTime := int64(0)
		for range 2000 {
			switch random.IntN(5) {
			case 0, 1:
				var list []int64
				for range random.IntN(4) {
					list = append(list, logTime+random.Int64N(100))
				}
				w.add(list)
				sleepers = append(sleepers, list)
			case 2, 3:
				if len(sleepers) > 0 {
					i := random.IntN(len(sleepers))
					w.remove(sleepers[i])
					sleepers = slices.Delete(sleepers, i, i+1)
				}
			default:
				logTime += random.Int64N(5)
				w.pass(logTime)
			}
			want, waiting := int64(0), false
			for _, at := range slices.Concat(sleepers...) {
				if at > logTime && (!waiting || at < want) {
					want, waiting = at, true
				}
			}
			if at, ok := w.next(); ok != waiting || at != want {
				t.Fatalf("seed %d: next is %d, %t; want %d, %t", seed, at, ok, want, waiting)
			}
			if all := len(slices.Concat(sleepers...)); len(w.heap) > 2*all+1 || w.left > len(w.heap) {
				t.Fatalf("seed %d: %d are kept and %d of them gone, %d wait", seed, len(w.heap), w.left, all)
			}
		}
	}
}
