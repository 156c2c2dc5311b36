package aggregate

import "math"

// The cubically interpolated mapping of DDSketch, with a relative accuracy slightly below 1 % to
// leave room for rounding: bin i holds the values whose approximate logarithm lies in [i, i+1).
// Every product is converted before something is added to it, so that no compiler fuses the two
// operations and every machine computes the same bin. The constants are exact to the last bit: the
// compiler computes them.
const (
	accuracy = 0.0099
	cubicA   = 6.0 / 35
	cubicB   = -3.0 / 5
	cubicC   = 10.0 / 7
	// lnGamma is ln((1+accuracy)/(1-accuracy)); five terms of its series are enough.
	lnGamma    = 2 * (accuracy + cubed/3 + cubed*squared/5 + cubed*squared*squared/7 + cubed*cubed*cubed/9)
	squared    = accuracy * accuracy
	cubed      = accuracy * squared
	multiplier = 1 / (10.0 / 7 * lnGamma)

	minIndexable = 0x1p-1022 * 1.03 // the smallest normal number, and one bin more
)

// binOf returns the bin of a value of at least minIndexable.
func binOf(v float64) int {
	bits := math.Float64bits(v)
	exponent := float64(int(bits>>52&0x7ff) - 1023)
	s := math.Float64frombits(bits&(1<<52-1)|1023<<52) - 1
	x := float64(cubicA*s) + cubicB
	x = float64(x*s) + cubicC
	x = float64(x*s) + exponent
	return int(math.Floor(float64(x * multiplier)))
}

// valueOf returns the value that represents a bin: it is within 1 % of all values in the bin. For
// the last bin it may be +Inf.
func valueOf(bin int) float64 {
	x := float64(bin) / multiplier
	exponent := math.Floor(x)
	// The inverse of the cubic, by Cardano's formula.
	const d0 = cubicB*cubicB - 3*cubicA*cubicC
	d1 := float64(2*cubicB*cubicB*cubicB-9*cubicA*cubicB*cubicC) - float64(27*cubicA*cubicA*(x-exponent))
	p := math.Cbrt((d1 - math.Sqrt(float64(d1*d1)-4*d0*d0*d0)) / 2)
	significand := 1 - (cubicB+p+d0/p)/(3*cubicA)
	return math.Ldexp(significand, int(exponent)) * (1 + accuracy)
}
