package foldtest

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Value holds every answer that is allowed in one column of a row.
type Value struct {
	Low, High float64 // a number in this range, both ends included; NaN: not a number
	Whole     bool    // an integer
	Null      bool    // null is allowed
	Text      string  // JSON text, "" for none
}

func (v Value) String() string {
	s := fmt.Sprintf("%g", v.Low)
	if v.Low != v.High {
		s = fmt.Sprintf("%g…%g", v.Low, v.High)
	}
	switch {
	case v.Text != "":
		return v.Text
	case math.IsNaN(v.Low):
		return "null"
	case v.Null:
		return s + " or null"
	}
	return s
}

const epsilon = 0x1p-52

func null() Value { return Value{Low: math.NaN(), High: math.NaN(), Null: true} }

func exactly(f float64) Value {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return null()
	}
	return Value{Low: f, High: f}
}

func whole(n int64) Value { return Value{Low: float64(n), High: float64(n), Whole: true} }

// about returns a number with an error of at most off. If that range exceeds the doubles, null is
// allowed too.
func about(f, off float64) Value {
	v := Value{Low: f - off, High: f + off}
	if math.IsInf(v.Low, 0) || math.IsInf(v.High, 0) || math.IsNaN(v.Low) || math.IsNaN(v.High) {
		return Value{Low: math.Inf(-1), High: math.Inf(1), Null: true}
	}
	return v
}

// newestValues returns the columns of a latest panel without aggregates.
func newestValues(a arrival) []Value {
	metadata := null()
	if a.Metadata != "" {
		metadata = Value{Text: a.Metadata}
	}
	return []Value{exactly(a.Value), whole(a.time), metadata}
}

// values returns the columns of a cell.
func (p *panel) values(w *window, g *group) []Value {
	events := slices.Clone(g.events)
	slices.SortFunc(events, func(a, b arrival) int {
		if p.dashboard.before(a, b) {
			return -1
		}
		return 1
	})
	if p.Kind == "latest" && len(p.Aggregates) == 0 {
		return newestValues(events[len(events)-1])
	}
	values := make([]Value, 0, len(p.Aggregates))
	for _, aggregate := range p.Aggregates {
		values = append(values, p.value(aggregate, g.name == OverflowGroup, events))
	}
	return values
}

// value returns one aggregate of events in the order of S7.
func (p *panel) value(aggregate string, overflow bool, events []arrival) Value {
	numbers := make([]float64, len(events))
	for i, e := range events {
		numbers[i] = e.Value
	}
	first, last := events[0], events[len(events)-1]
	unsampled := overflow || len(events) > MaxSamples
	switch aggregate {
	case "count":
		return whole(int64(len(numbers)))
	case "sum":
		return sum(numbers, 1)
	case "avg":
		return sum(numbers, float64(len(numbers)))
	case "min":
		return exactly(slices.Min(numbers))
	case "max":
		return exactly(slices.Max(numbers))
	case "first":
		return exactly(first.Value)
	case "last":
		return exactly(last.Value)
	case "rate":
		return sum(numbers, p.seconds(first, last))
	case "rate:count":
		f := float64(len(numbers)) / p.seconds(first, last)
		return about(f, 4*epsilon*f)
	case "stddev":
		return deviation(numbers)
	case "delta":
		if unsampled {
			return null()
		}
		return exactly(last.Value - first.Value)
	case "increase":
		if unsampled {
			return null()
		}
		return increase(numbers)
	}
	n, err := strconv.ParseFloat(strings.TrimPrefix(aggregate, "p"), 64)
	if err != nil {
		panic("no such aggregate: " + aggregate)
	}
	return percentile(numbers, int64(math.Round(n*1000)))
}

// seconds returns what rates are divided by (S8).
func (p *panel) seconds(first, last arrival) float64 {
	if p.Kind == "tumbling" || p.Kind == "hopping" {
		return float64(p.Size) / 1000
	}
	return float64(max(1, last.time-first.time)) / 1000
}

// exact returns a number wide enough for any sum of doubles.
func exact(f float64) *big.Float { return new(big.Float).SetPrec(2400).SetFloat64(f) }

func exactSum(numbers []float64) *big.Float {
	s := exact(0)
	for _, f := range numbers {
		s.Add(s, exact(f))
	}
	return s
}

// sum returns Σv divided by a number, with an error of at most n·ε·Σ|v| and the division's own
// rounding (S16).
func sum(numbers []float64, by float64) Value {
	absolute := 0.0
	for _, f := range numbers {
		absolute += math.Abs(f)
	}
	quotient, _ := new(big.Float).Quo(exactSum(numbers), exact(by)).Float64()
	off := float64(len(numbers)) * epsilon * absolute / by
	v := about(quotient, off+4*epsilon*math.Abs(quotient)+math.SmallestNonzeroFloat64)
	if math.IsInf(absolute, 0) {
		v = about(math.Inf(1), 0)
	}
	return v
}

// deviation returns the population standard deviation, with an error of at most one in 10^9, or the
// effect of rounding the values themselves.
func deviation(numbers []float64) Value {
	n := exact(float64(len(numbers)))
	mean := new(big.Float).Quo(exactSum(numbers), n)
	squares, root, greatest := exact(0), 0.0, 0.0
	for _, f := range numbers {
		off := new(big.Float).Sub(exact(f), mean)
		squares.Add(squares, new(big.Float).Mul(off, off))
		greatest = max(greatest, math.Abs(f))
	}
	if squares.Sign() > 0 {
		root, _ = new(big.Float).Sqrt(squares.Quo(squares, n)).Float64()
	}
	const squaresUnderflow, squaresOverflow = 1e-150, 1e150
	v := about(root, 1e-9*root+8*epsilon*float64(len(numbers))*greatest+squaresUnderflow)
	v.Null = v.Null || greatest > squaresOverflow
	return v
}

// increase returns the growth of a counter that may restart at 0.
func increase(numbers []float64) Value {
	growth, absolute := exact(0), 0.0
	for i := 1; i < len(numbers); i++ {
		before, now := numbers[i-1], numbers[i]
		if now >= before {
			growth.Add(growth, exact(now))
			growth.Sub(growth, exact(before))
			absolute += now - before
		} else {
			growth.Add(growth, exact(now))
			absolute += math.Abs(now)
		}
	}
	f, _ := growth.Float64()
	v := about(f, 2*float64(len(numbers))*epsilon*absolute)
	if math.IsInf(absolute, 0) {
		v = about(math.Inf(1), 0)
	}
	return v
}

// percentile returns pN, N in thousandths: the least number such that at least N % of all numbers
// are not greater. It is exact up to 64 numbers; beyond that it is within 1 % and within the range
// of the numbers. A sketch is bounded: if the magnitudes lie too far apart for it, the lowest are
// merged, and only the range is promised. It treats numbers closer to 0 than any normal double as
// 0.
func percentile(numbers []float64, thousandths int64) Value {
	numbers = slices.Clone(numbers)
	slices.Sort(numbers)
	rank := int64(1)
	for rank*100_000 < thousandths*int64(len(numbers)) {
		rank++
	}
	wanted := numbers[rank-1]
	if len(numbers) <= 64 {
		return exactly(wanted)
	}
	smallest, greatest := numbers[0], numbers[len(numbers)-1]
	nearest, farthest := math.Inf(1), 0.0
	for _, f := range numbers {
		if f != 0 {
			nearest, farthest = min(nearest, math.Abs(f)), max(farthest, math.Abs(f))
		}
	}
	const widest, normal = 1e14, 1e-300
	if farthest > 0 && (farthest/nearest > widest || nearest < normal) {
		return Value{Low: smallest, High: greatest}
	}
	off := 0.01 * math.Abs(wanted)
	return Value{Low: max(wanted-off, smallest), High: min(wanted+off, greatest)}
}
