package event

import (
	"math"
	"strconv"
)

// powers holds the powers of ten that a double represents exactly.
var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// parseFloat returns the double nearest to a scanned JSON number, or Range if there is none.
func parseFloat(raw []byte) (float64, Status) {
	// Up to 15 digits and a small power of ten are both exact, so one multiplication or division
	// rounds correctly.
	if len(raw) <= 17 {
		if f, ok := parseShort(raw); ok {
			return f, OK
		}
	}
	f, err := strconv.ParseFloat(alias(raw), 64)
	if err != nil {
		return 0, Range
	}
	return f, OK
}

func parseShort(raw []byte) (f float64, ok bool) {
	i, digits, point := 0, 0, -1
	if raw[0] == '-' {
		i = 1
	}
	var n uint64
	for ; i < len(raw); i++ {
		switch c := raw[i]; {
		case '0' <= c && c <= '9':
			n = n*10 + uint64(c-'0')
			digits++
		case c == '.':
			point = digits
		default:
			return 0, false // an exponent
		}
	}
	if digits > 15 {
		return 0, false
	}
	f = float64(n)
	if point >= 0 {
		f /= powers[digits-point]
	}
	if raw[0] == '-' {
		f = -f
	}
	return f, true
}

// parseWhole reads a scanned JSON number with a whole value, in any notation (1e3, 5.0). Type means
// that it has a fraction, Range that its magnitude exceeds 64 bits.
func parseWhole(raw []byte) (negative bool, n uint64, s Status) {
	if negative = raw[0] == '-'; negative {
		raw = raw[1:]
	}
	if end := skipDigits(raw, 0); end == len(raw) && end <= 19 {
		for _, c := range raw {
			n = n*10 + uint64(c-'0')
		}
		return negative, n, OK
	}
	exponent, mantissa := 0, raw
	for i, c := range raw {
		if c|0x20 == 'e' {
			exponent, mantissa = parseExponent(raw[i+1:]), raw[:i]
			break
		}
	}
	// Without zeros at both ends the number is digits × 10^exponent.
	fraction := 0
	for i, c := range mantissa {
		if c == '.' {
			fraction = len(mantissa) - i - 1
		}
	}
	exponent -= fraction
	end := len(mantissa)
	for ; end > 0 && (mantissa[end-1] == '0' || mantissa[end-1] == '.'); end-- {
		if mantissa[end-1] == '0' {
			exponent++
		}
	}
	if end == 0 {
		return negative, 0, OK
	}
	if exponent < 0 {
		return negative, 0, Type
	}
	return scaled(negative, mantissa[:end], exponent)
}

// scaled returns the digits of mantissa times ten to the exponent.
func scaled(negative bool, mantissa []byte, exponent int) (bool, uint64, Status) {
	var n uint64
	take := func(digit uint64) bool {
		if n > (math.MaxUint64-digit)/10 {
			return false
		}
		n = n*10 + digit
		return true
	}
	for _, c := range mantissa {
		if c != '.' && !take(uint64(c-'0')) {
			return negative, 0, Range
		}
	}
	for range exponent {
		if !take(0) {
			return negative, 0, Range
		}
	}
	return negative, n, OK
}

// parseExponent reads digits with an optional sign. It stops at a million, which exceeds the digits
// of any event.
func parseExponent(raw []byte) int {
	const most = 1_000_000
	sign := 1
	if raw[0] == '-' || raw[0] == '+' {
		if raw[0] == '-' {
			sign = -1
		}
		raw = raw[1:]
	}
	n := 0
	for _, c := range raw {
		n = min(n*10+int(c-'0'), most)
	}
	return sign * n
}
