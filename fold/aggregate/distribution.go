package aggregate

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/dashfeed/dashfeed/fold/codec"
)

// maxExact is the number of values that a distribution keeps individually. Beyond it, it is a
// sketch, however the values came together: one by one or in parts, in any order.
const maxExact = 64

// distribution is what percentiles are computed from.
type distribution struct {
	values []float64 // sorted, without -0; nil beyond maxExact
	sketch *sketch   // nil up to maxExact
}

var distributionBase = Base{Name: "distribution", Object: &ObjectBase{
	Required: true,
	Add: func(_ uint64, _ []uint64, o *Object, s Sample) bool {
		if *o == nil {
			*o = &distribution{}
		}
		(*o).(*distribution).add(s.Value)
		return false
	},
	Merge: func(_ uint64, _ []uint64, o *Object, _ uint64, _ []uint64, p Object) {
		(*o).(*distribution).merge(p.(*distribution))
	},
	Read: readDistribution,
}}

func (d *distribution) add(v float64) {
	if v == 0 {
		v = 0 // turn -0 into 0, so that equal values have no order
	}
	if d.sketch == nil && len(d.values) == maxExact {
		d.approximate()
	}
	if d.sketch != nil {
		d.sketch.add(v)
		return
	}
	at, _ := slices.BinarySearch(d.values, v)
	d.values = slices.Insert(d.values, at, v)
}

// approximate moves the values into a sketch.
func (d *distribution) approximate() {
	d.sketch = newSketch()
	for _, v := range d.values {
		d.sketch.add(v)
	}
	d.values = nil
}

func (d *distribution) merge(o *distribution) {
	if d.sketch == nil && (o.sketch != nil || len(d.values)+len(o.values) > maxExact) {
		d.approximate()
	}
	switch {
	case o.sketch != nil:
		d.sketch.merge(o.sketch)
	case d.sketch != nil:
		for _, v := range o.values {
			d.sketch.add(v)
		}
	default:
		d.values = append(d.values, o.values...)
		slices.Sort(d.values)
	}
}

// percentile returns the value of nearest rank, for an N in thousandths. It is exact, or within 1 %
// and between the least and the greatest value.
func (d *distribution) percentile(thousandths uint64) float64 {
	if d.sketch != nil {
		return d.sketch.ranked(nearestRank(thousandths, d.sketch.count()))
	}
	return d.values[nearestRank(thousandths, uint64(len(d.values)))-1]
}

// Bytes counts eight bytes for each value, until there is a sketch.
func (d *distribution) Bytes() int {
	if d.sketch != nil {
		return d.sketch.size()
	}
	return 8 * len(d.values)
}

// Clone copies the distribution.
func (d *distribution) Clone() Object {
	c := &distribution{values: slices.Clone(d.values)}
	if d.sketch != nil {
		c.sketch = newSketch()
		c.sketch.merge(d.sketch)
	}
	return c
}

// Append appends the number of values and each value; or 0 and the sketch.
func (d *distribution) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(d.values)))
	if d.sketch != nil {
		return d.sketch.append(b)
	}
	for _, v := range d.values {
		b = binary.LittleEndian.AppendUint64(b, putFloat(v))
	}
	return b
}

func readDistribution(r *codec.Reader) Object {
	d := &distribution{}
	n := r.Uvarint()
	r.Check(n <= maxExact && n <= uint64(len(r.B)/8))
	if r.Failed {
		return d
	}
	if n == 0 {
		d.sketch = readSketch(r)
		return d
	}
	d.values = make([]float64, n)
	for i := range d.values {
		v := getFloat(r.Fixed())
		r.Check(!math.IsNaN(v) && !math.IsInf(v, 0) && !(v == 0 && math.Signbit(v)) && (i == 0 || d.values[i-1] <= v))
		d.values[i] = v
	}
	return d
}
