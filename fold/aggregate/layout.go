package aggregate

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// Options are what a panel asks of its accumulators.
type Options struct {
	TieID   bool    // break ties by event id
	Seconds float64 // the window's length; 0: from its first to its last event
}

// Layout says how the accumulators of one panel lie in memory: word 0 counts the samples, followed
// by the words of each base.
type Layout struct {
	bases   []placed
	columns []column
	words   int
	objects int
	seconds float64
	lazy    bool // only samples with metadata need objects
}

type placed struct {
	Base
	word, object int
}

type column struct {
	Aggregate
	number uint64
	bases  []int
}

// Acc is one accumulator, to read or change in place.
type Acc struct {
	Words   []uint64
	Objects []Object // nil if the layout has none, or none was needed yet
}

func (l *Layout) add(a Acc, s *Sample) (unsampled bool) {
	n := a.Words[0]
	for i := range l.bases {
		b := &l.bases[i]
		w := a.Words[b.word : b.word+b.Words]
		if b.Object == nil {
			b.Add(n, w, s.Value, s.Time, s.Order)
			continue
		}
		var o *Object
		if a.Objects != nil {
			o = &a.Objects[b.object]
		}
		if b.Object.Add(n, w, o, *s) {
			unsampled = true
		}
	}
	a.Words[0] = n + 1
	return unsampled
}

// Merge adds the samples of from to to. They count as the later ones.
func (l *Layout) Merge(to, from Acc) {
	n, m := to.Words[0], from.Words[0]
	if m == 0 {
		return
	}
	if n == 0 {
		copy(to.Words, from.Words)
		for i, o := range from.Objects {
			if o != nil {
				to.Objects[i] = o.Clone()
			}
		}
		return
	}
	for i := range l.bases {
		b := &l.bases[i]
		w, v := to.Words[b.word:b.word+b.Words], from.Words[b.word:b.word+b.Words]
		if b.Object == nil {
			b.Merge(n, w, m, v)
			continue
		}
		b.Object.Merge(n, w, &to.Objects[b.object], m, v, from.Objects[b.object])
	}
	to.Words[0] = n + m
}

// Sampled reports whether some columns are computed from samples, of which only MaxSamples are
// kept.
func (l *Layout) Sampled() bool {
	return slices.ContainsFunc(l.bases, func(p placed) bool { return p.Name == samplesName })
}

// New returns an empty accumulator outside any slab.
func (l *Layout) New() Acc {
	return Acc{make([]uint64, l.words), make([]Object, l.objects)}
}

// AppendRow appends the values of the columns in the format of cells.Row.
func (l *Layout) AppendRow(b []byte, a Acc, overflow bool) []byte {
	v := Values{layout: l, acc: a}
	for i := range l.columns {
		c := &l.columns[i]
		if a.Words[0] == 0 || overflow && c.Alone {
			b = cells.AppendNull(b)
			continue
		}
		v.column = c
		b = c.Append(b, &v)
	}
	return b
}

// Append appends the accumulator's canonical form.
func (l *Layout) Append(b []byte, a Acc) []byte {
	b = binary.AppendUvarint(b, a.Words[0])
	for _, w := range a.Words[1:] {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	for i := range l.objects {
		if a.Objects == nil || a.Objects[i] == nil {
			b = append(b, 0)
			continue
		}
		b = a.Objects[i].Append(append(b, 1))
	}
	return b
}

// Read reads what Append wrote into an accumulator of the slab.
func (l *Layout) Read(r *codec.Reader, s *Slab, i uint32) {
	words := s.At(l, i).Words
	words[0] = r.Uvarint()
	for j := 1; j < l.words; j++ {
		words[j] = r.Fixed()
	}
	for j := range l.bases {
		b := &l.bases[j]
		if b.Object == nil {
			continue
		}
		if r.Byte() == 0 {
			r.Check(!b.Object.Required || words[0] == 0)
			continue
		}
		o := b.Object.Read(r)
		if r.Failed {
			return
		}
		s.needObjects(l)
		s.At(l, i).Objects[b.object] = o
		s.bytes += o.Bytes()
	}
}

// Values is what an aggregate computes its column from: the bases that it asked for, by their index
// in its list.
type Values struct {
	layout *Layout
	acc    Acc
	column *column
}

// N returns the number of samples, at least 1.
func (v *Values) N() uint64 { return v.acc.Words[0] }

// Number returns what the word was parsed to: for p95 the N, in thousandths.
func (v *Values) Number() uint64 { return v.column.number }

// Word returns a word of the base.
func (v *Values) Word(base, word int) uint64 {
	return v.acc.Words[v.layout.bases[v.column.bases[base]].word+word]
}

// Float returns a word of the base as a float.
func (v *Values) Float(base, word int) float64 { return math.Float64frombits(v.Word(base, word)) }

// Object returns the object of the base, or nil.
func (v *Values) Object(base int) Object {
	if v.acc.Objects == nil {
		return nil
	}
	return v.acc.Objects[v.layout.bases[v.column.bases[base]].object]
}

// Seconds returns the length of the window. If the window has no fixed length, it is the time
// between first and last event, from the base numbered span.
func (v *Values) Seconds(span int) float64 {
	if v.layout.seconds > 0 {
		return v.layout.seconds
	}
	return float64(max(1, int64(v.Word(span, 1))-int64(v.Word(span, 0)))) / 1000
}
