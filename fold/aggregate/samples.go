package aggregate

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/fold/codec"
)

// MaxSamples is how many samples an accumulator keeps. With more, columns computed from samples are
// null.
const MaxSamples = 1024

const samplesName = "samples"

// samples holds the events of an accumulator, ordered by (time, order).
type samples struct {
	list []kept
	over bool // there were more than MaxSamples; list is empty
}

type kept struct {
	time  int64
	order uint64
	value float64
	id    string // set if ties are broken by id
}

func (k kept) compare(o kept) int {
	c := cmp.Compare(k.time, o.time)
	if c == 0 {
		c = strings.Compare(k.id, o.id)
	}
	if c == 0 {
		c = cmp.Compare(k.order, o.order)
	}
	return c
}

func samplesBase(o Options) Base {
	return Base{Name: samplesName, Object: &ObjectBase{
		Add: func(_ uint64, _ []uint64, p *Object, s Sample) bool {
			if s.Overflow {
				return false
			}
			if *p == nil {
				*p = &samples{}
			}
			if s.Full {
				return (*p).(*samples).giveUp()
			}
			k := kept{s.Time, s.Order, s.Value, ""}
			if o.TieID {
				k.id = strings.Clone(s.ID)
			}
			return (*p).(*samples).add(k)
		},
		Merge: func(_ uint64, _ []uint64, p *Object, m uint64, _ []uint64, q Object) {
			if q != nil {
				(*p).(*samples).merge(q.(*samples))
			}
		},
		Read: readSamples,
	}}
}

func (s *samples) add(k kept) (unsampled bool) {
	if s.over || len(s.list) == MaxSamples {
		return s.giveUp()
	}
	i := len(s.list)
	if i > 0 && s.list[i-1].compare(k) > 0 {
		i, _ = slices.BinarySearchFunc(s.list, k, kept.compare)
	}
	s.list = slices.Insert(s.list, i, k)
	return false
}

// giveUp stops keeping samples: columns computed from them are null.
func (s *samples) giveUp() (unsampled bool) {
	s.list, s.over = nil, true
	return true
}

func (s *samples) merge(o *samples) {
	if s.over || o.over || len(s.list)+len(o.list) > MaxSamples {
		s.list, s.over = nil, true
		return
	}
	s.list = append(s.list, o.list...)
	slices.SortFunc(s.list, kept.compare)
}

// Bytes counts every sample with the same size: time, order, value and a short id.
func (s *samples) Bytes() int {
	const sampleBytes = 24
	return sampleBytes * len(s.list)
}

// Clone copies the samples.
func (s *samples) Clone() Object { return &samples{slices.Clone(s.list), s.over} }

// Append appends the number of samples (MaxSamples + 1 for too many) and each sample.
func (s *samples) Append(b []byte) []byte {
	if s.over {
		return binary.AppendUvarint(b, MaxSamples+1)
	}
	b = binary.AppendUvarint(b, uint64(len(s.list)))
	for _, k := range s.list {
		b = binary.AppendVarint(b, k.time)
		b = binary.AppendUvarint(b, k.order)
		b = binary.LittleEndian.AppendUint64(b, putFloat(k.value))
		b = codec.AppendString(b, k.id)
	}
	return b
}

func readSamples(r *codec.Reader) Object {
	s := &samples{}
	n := r.Uvarint()
	if n > MaxSamples {
		s.over = true
		r.Check(n == MaxSamples+1)
		return s
	}
	const leastBytes = 11
	r.Check(n > 0 && n <= uint64(len(r.B)/leastBytes))
	if r.Failed {
		return s
	}
	s.list = make([]kept, n)
	for i := range s.list {
		s.list[i] = kept{r.Varint(), r.Uvarint(), getFloat(r.Fixed()), r.String()}
		r.Check(i == 0 || s.list[i-1].compare(s.list[i]) < 0)
		if r.Failed {
			break
		}
	}
	return s
}
