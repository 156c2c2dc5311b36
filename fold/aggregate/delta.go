package aggregate

import "github.com/dashfeed/dashfeed/messages/cells"

// delta is the last sample minus the first.
var delta = Aggregate{
	Word:  "delta",
	Bases: func(o Options) []Base { return []Base{samplesBase(o)} },
	Alone: true,
	Append: func(b []byte, v *Values) []byte {
		s, ok := v.Object(0).(*samples)
		if !ok || s.over {
			return cells.AppendNull(b)
		}
		return cells.AppendFloat(b, s.list[len(s.list)-1].value-s.list[0].value)
	},
}
