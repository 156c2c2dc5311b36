package aggregate

import (
	"strconv"
	"strings"

	"github.com/dashfeed/dashfeed/messages/cells"
)

// percentile is pN, 0 < N < 100: the ceil(N·n/100)-th smallest of n values (nearest rank).
var percentile = Aggregate{
	Word:  "pN",
	Parse: parsePercentile,
	Bases: func(Options) []Base { return []Base{distributionBase} },
	Append: func(b []byte, v *Values) []byte {
		return cells.AppendFloat(b, v.Object(0).(*distribution).percentile(v.Number()))
	},
}

// parsePercentile returns N in thousandths, the unit in which ranks are computed: p99.9 is 99,900.
func parsePercentile(word string) (thousandths uint64, ok bool) {
	digits, ok := strings.CutPrefix(word, "p")
	whole, decimals, pointed := strings.Cut(digits, ".")
	if !ok || len(whole) < 1 || len(whole) > 2 || len(decimals) > 3 || pointed && decimals == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+(decimals + "000")[:3], 10, 64)
	return n, err == nil && n > 0
}

// nearestRank returns ceil(N·n/100), from 1 to n, for an N in thousandths.
func nearestRank(thousandths, n uint64) uint64 {
	const hundred = 100_000
	return n/hundred*thousandths + (n%hundred*thousandths+hundred-1)/hundred
}
