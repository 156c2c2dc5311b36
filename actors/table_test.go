package actors

import (
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/aggregate"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// Values at which the aggregates of tests panic or wait.
const (
	poison = 666
	block  = 777
)

// gate is closed or opened by the only test that uses it.
var gate = make(chan chan struct{}, 1)

// gates works like gate for tests that run in parallel.
var gates = make(chan chan struct{}, 1)

// fragile makes definitions with "fragile" panic when they are compiled.
var fragile atomic.Bool

// faint makes rows with "faint" panic when they are written.
var faint atomic.Bool

// table returns the built-in table with these additions: "boom" panics at a value of poison; "dud"
// panics when it is read; "stuck" waits at a value of block for what it finds in gate; "sluggish"
// is slow at such a value; "fragile" and "faint" as above.
func table() fold.Table {
	count := func(b []byte, v *aggregate.Values) []byte { return cells.AppendNull(b) }
	base := func(name string, add func(value float64)) func(aggregate.Options) []aggregate.Base {
		return func(aggregate.Options) []aggregate.Base {
			return []aggregate.Base{{
				Name: name, Words: 1,
				Add:   func(_ uint64, _ []uint64, value float64, _ int64, _ uint64) { add(value) },
				Merge: func(_ uint64, _ []uint64, _ uint64, _ []uint64) {},
			}}
		}
	}
	return append(fold.Builtin(),
		aggregate.Aggregate{Word: "boom", Append: count, Bases: base("boom", func(value float64) {
			if value == poison {
				panic("boom")
			}
		})},
		aggregate.Aggregate{Word: "dud", Bases: base("dud", func(float64) {}), Append: func([]byte, *aggregate.Values) []byte { panic("dud") }},
		aggregate.Aggregate{Word: "faint", Bases: base("faint", func(float64) {}), Append: func(b []byte, _ *aggregate.Values) []byte {
			if faint.Load() {
				panic("faint")
			}
			return cells.AppendNull(b)
		}},
		aggregate.Aggregate{Word: "stuck", Append: count, Bases: base("stuck", func(value float64) {
			if value == block {
				<-<-gate
			}
		})},
		aggregate.Aggregate{Word: "sluggish", Append: count, Bases: base("sluggish", func(value float64) {
			if value == block {
				time.Sleep(50 * time.Millisecond)
			}
		})},
		aggregate.Aggregate{Word: "fragile", Append: count, Bases: func(o aggregate.Options) []aggregate.Base {
			if fragile.Load() {
				panic("fragile")
			}
			return base("fragile", func(float64) {})(o)
		}},
		aggregate.Aggregate{Word: "gated", Append: count, Bases: base("gated", func(value float64) {
			if value == block {
				<-<-gates
			}
		})})
}
