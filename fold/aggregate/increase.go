package aggregate

import "github.com/dashfeed/dashfeed/messages/cells"

// increase is the growth of a counter with resets, in time order: a value below its predecessor
// means that the counter restarted at 0.
var increase = Aggregate{
	Word:  "increase",
	Bases: func(o Options) []Base { return []Base{samplesBase(o)} },
	Alone: true,
	Append: func(b []byte, v *Values) []byte {
		s, ok := v.Object(0).(*samples)
		if !ok || s.over {
			return cells.AppendNull(b)
		}
		var w [2]uint64
		for i := 1; i < len(s.list); i++ {
			if before, now := s.list[i-1].value, s.list[i].value; now >= before {
				addTo(w[:], now-before)
			} else {
				addTo(w[:], now)
			}
		}
		return cells.AppendFloat(b, getFloat(w[0])+getFloat(w[1]))
	},
}
