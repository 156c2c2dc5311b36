package aggregate

import (
	"math"

	"github.com/dashfeed/dashfeed/messages/cells"
)

// sum is compensated (Neumaier), so that the order of values matters only within n·ε·Σ|v|.
var sum = Aggregate{
	Word:   "sum",
	Bases:  func(Options) []Base { return []Base{sumBase} },
	Append: func(b []byte, v *Values) []byte { return cells.AppendFloat(b, total(v)) },
}

// sumBase keeps the running sum and its rounding error.
var sumBase = Base{
	Name: "sum", Words: 2,
	Add: func(_ uint64, w []uint64, value float64, _ int64, _ uint64) { addTo(w, value) },
	Merge: func(_ uint64, w []uint64, _ uint64, v []uint64) {
		addTo(w, getFloat(v[0]))
		w[1] = putFloat(getFloat(w[1]) + getFloat(v[1]))
	},
}

func addTo(w []uint64, value float64) {
	_ = w[1]
	s, c := getFloat(w[0]), getFloat(w[1])
	t := s + value
	if math.Abs(s) >= math.Abs(value) {
		c += (s - t) + value
	} else {
		c += (value - t) + s
	}
	w[0], w[1] = putFloat(t), putFloat(c)
}

// total returns the sum; the base must be the column's first.
func total(v *Values) float64 { return v.Float(0, 0) + v.Float(0, 1) }
