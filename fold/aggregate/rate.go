package aggregate

import "github.com/dashfeed/dashfeed/messages/cells"

// rate is the sum divided by the seconds of the window.
var rate = Aggregate{
	Word: "rate",
	Bases: func(o Options) []Base {
		return append([]Base{sumBase}, spanBases(o)...)
	},
	Append: func(b []byte, v *Values) []byte { return cells.AppendFloat(b, total(v)/v.Seconds(1)) },
}

// rateCount is the count divided by the seconds of the window.
var rateCount = Aggregate{
	Word:   "rate:count",
	Bases:  spanBases,
	Append: func(b []byte, v *Values) []byte { return cells.AppendFloat(b, float64(v.N())/v.Seconds(0)) },
}

func spanBases(o Options) []Base {
	if o.Seconds > 0 {
		return nil
	}
	return []Base{spanBase}
}

// spanBase keeps the times of the first and the last event, for windows without a fixed length.
var spanBase = Base{
	Name: "span", Words: 2,
	Add: func(n uint64, w []uint64, _ float64, time int64, _ uint64) {
		if n == 0 {
			w[0], w[1] = uint64(time), uint64(time)
			return
		}
		w[0], w[1] = uint64(min(int64(w[0]), time)), uint64(max(int64(w[1]), time))
	},
	Merge: func(_ uint64, w []uint64, _ uint64, v []uint64) {
		w[0], w[1] = uint64(min(int64(w[0]), int64(v[0]))), uint64(max(int64(w[1]), int64(v[1])))
	},
}
