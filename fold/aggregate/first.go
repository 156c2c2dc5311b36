package aggregate

import "github.com/dashfeed/dashfeed/messages/cells"

// first is the value with the lowest (time, order).
var first = Aggregate{
	Word:   "first",
	Bases:  func(o Options) []Base { return []Base{edge("first", -1, o)} },
	Append: func(b []byte, v *Values) []byte { return cells.AppendFloat(b, v.Float(0, 0)) },
}
