package aggregate

import (
	"math"

	"github.com/dashfeed/dashfeed/messages/cells"
)

// stddev is the population standard deviation.
var stddev = Aggregate{
	Word:  "stddev",
	Bases: func(Options) []Base { return []Base{momentsBase} },
	Append: func(b []byte, v *Values) []byte {
		// The sum of squares is never negative. If values overflow it is not a number, and the
		// column is null.
		return cells.AppendFloat(b, math.Sqrt(v.Float(0, 1)/float64(v.N())))
	},
}

// momentsBase keeps the mean and the sum of squared distances from it: by Welford's method for one
// value, by Chan's for a merge. The conversions of the products keep the compiler from fusing them
// with the sums, which would round differently on other machines.
var momentsBase = Base{
	Name: "moments", Words: 2,
	Add: func(n uint64, w []uint64, value float64, _ int64, _ uint64) {
		mean, m2 := getFloat(w[0]), getFloat(w[1])
		d := value - mean
		mean += d / float64(n+1)
		m2 += float64(d * (value - mean))
		w[0], w[1] = putFloat(mean), putFloat(m2)
	},
	Merge: func(n uint64, w []uint64, m uint64, v []uint64) {
		a, b := float64(n), float64(m)
		d := getFloat(v[0]) - getFloat(w[0])
		mean := getFloat(w[0]) + float64(d*(b/(a+b)))
		m2 := getFloat(w[1]) + getFloat(v[1])
		m2 += float64(float64(d*d) * (a * (b / (a + b))))
		w[0], w[1] = putFloat(mean), putFloat(m2)
	},
}
