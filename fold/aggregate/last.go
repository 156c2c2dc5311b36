package aggregate

import "github.com/dashfeed/dashfeed/messages/cells"

// last is the value with the highest (time, order).
var last = Aggregate{
	Word:   "last",
	Bases:  func(o Options) []Base { return []Base{edge("last", 1, o)} },
	Append: func(b []byte, v *Values) []byte { return cells.AppendFloat(b, v.Float(0, 0)) },
}
