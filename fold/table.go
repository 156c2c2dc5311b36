package fold

import "github.com/dashfeed/dashfeed/fold/aggregate"

// Table is the aggregates by name; package aggregate says what an entry is. A test adds its own by
// appending.
type Table = aggregate.Table

// Builtin is the table of what definitions may ask for.
func Builtin() Table { return aggregate.Builtin() }
