package aggregate

import (
	"strconv"
	"strings"

	"github.com/dashfeed/dashfeed/messages/cells"
)

// percentile is pN, 0 < N < 100, within 1 % of the value at that rank.
var percentile = Aggregate{
	Word:  "pN",
	Parse: parsePercentile,
	Bases: func(Options) []Base { return []Base{sketchBase} },
	Append: func(b []byte, v *Values) []byte {
		return cells.AppendFloat(b, v.Object(0).(*sketch).quantile(v.Number()/100))
	},
}

func parsePercentile(word string) (number float64, ok bool) {
	digits, ok := strings.CutPrefix(word, "p")
	if !ok || digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	number, err := strconv.ParseFloat(digits, 64)
	return number, err == nil && number > 0 && number < 100
}
