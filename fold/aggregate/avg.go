package aggregate

import "github.com/dashfeed/dashfeed/messages/cells"

// avg is sum ÷ count.
var avg = Aggregate{
	Word:   "avg",
	Bases:  func(Options) []Base { return []Base{sumBase} },
	Append: func(b []byte, v *Values) []byte { return cells.AppendFloat(b, total(v)/float64(v.N())) },
}
