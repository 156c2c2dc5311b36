package aggregate

import (
	"encoding/binary"
	"math"

	"github.com/DataDog/sketches-go/ddsketch/store"
	"github.com/dashfeed/dashfeed/fold/codec"
)

// maxBins is how many bins a sketch keeps for each sign; beyond it, those nearest to zero are
// merged.
const maxBins = 2048

// sketch is a DDSketch with a relative accuracy of 1 %, and the least and the greatest value. It
// uses the library's stores with a mapping of our own (mapping.go), because the library's mapping
// is compiled to fused multiply-adds on some machines.
type sketch struct {
	least, greatest    float64
	zero               uint64 // number of values too close to zero to have a bin
	positive, negative *store.CollapsingLowestDenseStore
}

func newSketch() *sketch { return &sketch{least: math.Inf(1), greatest: math.Inf(-1)} }

func (s *sketch) add(v float64) {
	s.least, s.greatest = min(s.least, v), max(s.greatest, v)
	switch {
	case v >= minIndexable:
		bins(&s.positive).Add(binOf(v))
	case v <= -minIndexable:
		bins(&s.negative).Add(binOf(-v))
	default:
		s.zero++
	}
}

func bins(s **store.CollapsingLowestDenseStore) *store.CollapsingLowestDenseStore {
	if *s == nil {
		*s = store.NewCollapsingLowestDenseStore(maxBins)
	}
	return *s
}

func (s *sketch) merge(o *sketch) {
	s.least, s.greatest = min(s.least, o.least), max(s.greatest, o.greatest)
	s.zero += o.zero
	if o.positive != nil {
		bins(&s.positive).MergeWith(o.positive)
	}
	if o.negative != nil {
		bins(&s.negative).MergeWith(o.negative)
	}
}

// counts returns how many values lie below, at and above zero.
func (s *sketch) counts() (below, at, above uint64) {
	if s.negative != nil {
		below = uint64(s.negative.TotalCount())
	}
	if s.positive != nil {
		above = uint64(s.positive.TotalCount())
	}
	return below, s.zero, above
}

func (s *sketch) count() uint64 {
	below, at, above := s.counts()
	return below + at + above
}

// ranked returns the rank-th smallest value, counting from 1.
func (s *sketch) ranked(rank uint64) float64 {
	below, at, _ := s.counts()
	v := 0.0
	switch {
	case rank <= below:
		v = -valueOf(s.negative.KeyAtRank(float64(below - rank)))
	case rank > below+at:
		v = valueOf(s.positive.KeyAtRank(float64(rank - below - at - 1)))
	}
	return min(max(v, s.least), s.greatest)
}

// append appends the least and greatest value, the count at zero and, for each sign, the bins that
// are not empty, in order.
func (s *sketch) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, putFloat(s.least))
	b = binary.LittleEndian.AppendUint64(b, putFloat(s.greatest))
	b = binary.AppendUvarint(b, s.zero)
	b = appendBins(b, s.positive)
	return appendBins(b, s.negative)
}

func appendBins(b []byte, s *store.CollapsingLowestDenseStore) []byte {
	if s == nil {
		return append(b, 0)
	}
	n := 0
	s.ForEach(func(int, float64) bool { n++; return false })
	b = binary.AppendUvarint(b, uint64(n))
	s.ForEach(func(bin int, count float64) bool {
		b = binary.AppendVarint(b, int64(bin))
		b = binary.AppendUvarint(b, uint64(count))
		return false
	})
	return b
}

func readSketch(r *codec.Reader) *sketch {
	s := &sketch{least: getFloat(r.Fixed()), greatest: getFloat(r.Fixed()), zero: r.Uvarint()}
	r.Check(math.Abs(s.least) <= math.MaxFloat64 && math.Abs(s.greatest) <= math.MaxFloat64 && s.least <= s.greatest && s.zero <= maxCount)
	readBins(r, &s.positive)
	readBins(r, &s.negative)
	r.Check(s.count() > maxExact)
	return s
}

// maxCount is the number up to which a double counts exactly.
const maxCount = 1 << 53

func readBins(r *codec.Reader, s **store.CollapsingLowestDenseStore) {
	n := r.Count(2)
	r.Check(n <= maxBins)
	before := int64(math.MinInt64)
	for i := 0; i < n && !r.Failed; i++ {
		bin, count := r.Varint(), r.Uvarint()
		r.Check(bin > before && bin >= int64(binOf(minIndexable)) && bin <= int64(binOf(math.MaxFloat64)) && 0 < count && count <= maxCount)
		if r.Failed {
			return
		}
		before = bin
		bins(s).AddWithCount(int(bin), float64(count))
	}
}

// size returns the approximate length of the canonical form: each value, and each bin between the
// least and the greatest value, takes at most one bin.
func (s *sketch) size() int {
	const fixedBytes, binBytes = 20, 3
	span := func(from, to float64) int {
		return min(maxBins, binOf(max(to, minIndexable))-binOf(max(from, minIndexable))+1)
	}
	n := 0
	switch {
	case s.least >= 0:
		n = span(s.least, s.greatest)
	case s.greatest <= 0:
		n = span(-s.greatest, -s.least)
	default:
		n = span(0, s.greatest) + span(0, -s.least)
	}
	return fixedBytes + binBytes*int(min(uint64(n), s.count()))
}
