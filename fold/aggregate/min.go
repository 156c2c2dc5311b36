package aggregate

import "github.com/dashfeed/dashfeed/messages/cells"

// minimum is the smallest value.
var minimum = Aggregate{
	Word:   "min",
	Bases:  func(Options) []Base { return []Base{minBase} },
	Append: func(b []byte, v *Values) []byte { return cells.AppendFloat(b, v.Float(0, 0)) },
}

var minBase = Base{
	Name: "min", Words: 1,
	Add: func(n uint64, w []uint64, value float64, _ int64, _ uint64) {
		if n == 0 || value < getFloat(w[0]) {
			w[0] = putFloat(value)
		}
	},
	Merge: func(_ uint64, w []uint64, _ uint64, v []uint64) {
		if getFloat(v[0]) < getFloat(w[0]) {
			w[0] = v[0]
		}
	},
}
