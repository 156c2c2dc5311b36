package aggregate

import "github.com/dashfeed/dashfeed/messages/cells"

// count is the number of events; every accumulator has it.
var count = Aggregate{
	Word:   "count",
	Append: func(b []byte, v *Values) []byte { return cells.AppendInt(b, int64(v.N())) },
}
