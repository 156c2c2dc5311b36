package fold

import "github.com/dashfeed/dashfeed/fold/aggregate"

// Table holds the aggregates by name; package aggregate describes an entry. A test appends its own.
type Table = aggregate.Table

// Builtin returns the aggregates that definitions may use.
func Builtin() Table { return aggregate.Builtin() }
