package event

import "math/big"

// wholeSlowly is parseWhole with big numbers; small is false if the exponent is too large for them.
func wholeSlowly(s string) (negative bool, n uint64, status Status, small bool) {
	if len(s) > 200 {
		return false, 0, OK, false
	}
	for i := range s {
		if (s[i] == 'e' || s[i] == 'E') && len(s)-i > 5 {
			return false, 0, OK, false
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return false, 0, OK, false
	}
	switch {
	case !r.IsInt():
		return false, 0, Type, true
	case !new(big.Int).Abs(r.Num()).IsUint64():
		return false, 0, Range, true
	}
	return s[0] == '-', new(big.Int).Abs(r.Num()).Uint64(), OK, true
}
