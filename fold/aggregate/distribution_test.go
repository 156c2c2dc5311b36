package aggregate

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dashfeed/dashfeed/fold/codec"
)

func TestParsePercentile(t *testing.T) {
	for word, want := range map[string]uint64{
		"p50": 50_000, "p5": 5_000, "p99.9": 99_900, "p99.999": 99_999, "p0.001": 1, "p0.5": 500,
		"p": 0, "p0": 0, "p0.000": 0, "p100": 0, "p99.9999": 0, "p50.": 0, "p.5": 0, "p-1": 0, "p+5": 0, "p5e1": 0, "95": 0, "p9 ": 0,
	} {
		if got, ok := parsePercentile(word); ok != (want > 0) || ok && got != want {
			t.Errorf("%s: got %d, %t; want %d", word, got, ok, want)
		}
	}
}

// TestNearestRank: the rank is the least integer not below N·n/100, in integer arithmetic even
// where a product would overflow.
func TestNearestRank(t *testing.T) {
	for _, c := range []struct{ thousandths, n, want uint64 }{
		{50_000, 1, 1},
		{50_000, 2, 1},
		{50_001, 2, 2},
		{95_000, 2, 2},
		{95_000, 20, 19},
		{95_000, 21, 20},
		{99_900, 1000, 999},
		{99_900, 1001, 1000},
		{1, 1, 1},
		{1, 100_000, 1},
		{1, 100_001, 2},
		{99_999, 100_000, 99_999},
		{99_999, 99_999, 99_999},
		{29_000, 100, 29}, // 0.29 × 100 is 28.999… in doubles
		{57_000, 100, 57},
		{50_000, 1 << 63, 1 << 62},
		{99_999, math.MaxUint64, 18446559606268814520},
	} {
		if got := nearestRank(c.thousandths, c.n); got != c.want {
			t.Errorf("p%g of %d: rank %d, want %d", float64(c.thousandths)/1000, c.n, got, c.want)
		}
	}
}

func distributionOf(values []float64) *distribution {
	d := &distribution{}
	for _, v := range values {
		d.add(v)
	}
	return d
}

func reread(t *testing.T, d *distribution) *distribution {
	t.Helper()
	r := &codec.Reader{B: d.Append(nil)}
	again := readDistribution(r).(*distribution)
	if r.Failed || len(r.B) > 0 {
		t.Fatalf("what Append wrote of %d values is not read", len(d.values))
	}
	return again
}

// TestPercentileIsOfNearestRank: exact up to 64 values, beyond that within 1 % of the value at that
// rank and in [min, max].
func TestPercentileIsOfNearestRank(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	kinds := []func() float64{
		func() float64 { return float64(r.IntN(2000) - 1000) },
		func() float64 { return 100 },
		func() float64 { return r.ExpFloat64() * 1000 },
		func() float64 { return -r.ExpFloat64() },
		func() float64 { return float64(r.IntN(3) - 1) },
		func() float64 { return math.MaxFloat64 * (0.9 + r.Float64()/10) },
		func() float64 { return -math.MaxFloat64 },
	}
	for n := 1; n <= 300; n++ {
		for k, value := range kinds {
			values := make([]float64, n)
			for i := range values {
				values[i] = value()
			}
			d := distributionOf(values)
			slices.Sort(values)
			for _, thousandths := range []uint64{1, 1_000, 29_000, 50_000, 90_000, 95_000, 99_000, 99_900, 99_999} {
				rank := 1
				for uint64(rank)*100_000 < thousandths*uint64(n) {
					rank++
				}
				got, want, off := d.percentile(thousandths), values[rank-1], 0.0
				if n > 64 {
					off = 0.01 * math.Abs(want)
				}
				if math.Abs(got-want) > off || got < values[0] || got > values[n-1] {
					t.Fatalf("kind %d: p%g of %d values: got %g, want %g within %g, from %g to %g", k, float64(thousandths)/1000, n, got, want, off, values[0], values[n-1])
				}
			}
		}
	}
}

// TestDistributionIsCanonical: the bytes depend only on the values: not on their order, nor on how
// parts were merged, nor on whether they were written and read again in between.
func TestDistributionIsCanonical(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2_000 {
		values := make([]float64, 1+r.IntN(200))
		for i := range values {
			values[i] = float64(r.IntN(50)-25) * math.Pow(10, float64(r.IntN(3)))
			if r.IntN(20) == 0 {
				values[i] = math.Copysign(0, float64(r.IntN(2)-1))
			}
			if r.IntN(50) == 0 {
				values[i] = math.Pow(10, float64(r.IntN(600)-300)) // so that bins are merged
			}
		}
		want := distributionOf(values).Append(nil)
		r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		var parts []*distribution
		for rest := values; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			parts = append(parts, distributionOf(rest[:n]))
			rest = rest[n:]
		}
		for len(parts) > 1 {
			i := r.IntN(len(parts) - 1)
			if r.IntN(2) == 0 {
				parts[i] = reread(t, parts[i])
			}
			to := parts[i].Clone().(*distribution)
			to.merge(parts[i+1])
			parts[i] = to
			parts = slices.Delete(parts, i+1, i+2)
		}
		if got := parts[0].Append(nil); !bytes.Equal(got, want) {
			t.Fatalf("%d values: merged of parts they are\n%x, added one by one\n%x", len(values), got, want)
		}
		if exact := parts[0].sketch == nil; exact != (len(values) <= maxExact) {
			t.Fatalf("%d values: exact %t", len(values), exact)
		}
	}
}

// TestCloneIsIndependent: what is added to one is not seen in the other.
func TestCloneIsIndependent(t *testing.T) {
	for _, n := range []int{3, 100} {
		values := make([]float64, n)
		d := distributionOf(values)
		before := d.Append(nil)
		c := d.Clone().(*distribution)
		c.add(-5)
		if !bytes.Equal(d.Append(nil), before) || bytes.Equal(c.Append(nil), before) {
			t.Errorf("a clone of %d values shares them", n)
		}
	}
}
