package aggregate

import (
	"encoding/binary"
	"math"

	"github.com/DataDog/sketches-go/ddsketch/store"
	"github.com/dashfeed/dashfeed/fold/codec"
)

// maxBins is how many bins a sketch keeps of each sign; beyond it those nearest to zero are merged.
const maxBins = 2048

// sketch is a DDSketch of relative accuracy 1 %: the library's stores under a mapping of our own (mapping.go), since
// the library's is compiled to fused multiply-adds on some machines.
type sketch struct {
	zero               uint64 // values too near to zero to have a bin
	positive, negative *store.CollapsingLowestDenseStore
}

var sketchBase = Base{Name: "sketch", Object: &ObjectBase{
	Required: true,
	Add: func(_ uint64, _ []uint64, o *Object, s Sample) bool {
		if *o == nil {
			*o = &sketch{}
		}
		(*o).(*sketch).add(s.Value)
		return false
	},
	Merge: func(_ uint64, _ []uint64, o *Object, _ uint64, _ []uint64, p Object) {
		(*o).(*sketch).merge(p.(*sketch))
	},
	Read: readSketch,
}}

func (s *sketch) add(v float64) {
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
	s.zero += o.zero
	if o.positive != nil {
		bins(&s.positive).MergeWith(o.positive)
	}
	if o.negative != nil {
		bins(&s.negative).MergeWith(o.negative)
	}
}

// quantile is the value at rank q·(n−1), q in [0, 1].
func (s *sketch) quantile(q float64) float64 {
	var below, above float64
	if s.negative != nil {
		below = s.negative.TotalCount()
	}
	if s.positive != nil {
		above = s.positive.TotalCount()
	}
	rank := q * (below + float64(s.zero) + above - 1)
	switch {
	case rank < below:
		return -valueOf(s.negative.KeyAtRank(below - 1 - rank))
	case rank < below+float64(s.zero) || above == 0:
		return 0
	}
	return valueOf(s.positive.KeyAtRank(rank - below - float64(s.zero)))
}

// Clone copies the sketch.
func (s *sketch) Clone() Object {
	c := &sketch{}
	c.merge(s)
	return c
}

// Append appends the count at zero and, of each sign, the bins that are not empty, in order.
func (s *sketch) Append(b []byte) []byte {
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

func readSketch(r *codec.Reader) Object {
	s := &sketch{zero: r.Uvarint()}
	readBins(r, &s.positive)
	readBins(r, &s.negative)
	return s
}

func readBins(r *codec.Reader, s **store.CollapsingLowestDenseStore) {
	n := r.Count(2)
	r.Check(n <= maxBins)
	before := int64(math.MinInt64)
	for i := 0; i < n && !r.Failed; i++ {
		bin, count := r.Varint(), r.Uvarint()
		r.Check(bin > before && bin >= int64(binOf(minIndexable)) && bin <= int64(binOf(math.MaxFloat64)) && count > 0)
		if r.Failed {
			return
		}
		before = bin
		bins(s).AddWithCount(int(bin), float64(count))
	}
}
