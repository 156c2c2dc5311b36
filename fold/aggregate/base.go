package aggregate

import (
	"math"

	"github.com/dashfeed/dashfeed/fold/codec"
)

// Sample is what an accumulator receives of one event.
type Sample struct {
	Time     int64 // ms
	Value    float64
	Order    uint64 // the version at which the event is folded
	ID       string // the event's id if ties are broken by id; may alias the event's bytes
	Metadata []byte // may alias the event's bytes
	Overflow bool   // the accumulator is the overflow group's
	Full     bool   // the dashboard's state has reached its bound: samples are dropped
}

// Base is a part of an accumulator from which one or more columns are computed. Columns that need a
// base with the same name share it. A base holds words, or words and an object. The accumulator
// itself counts its samples: n and m are that count before the sample is added or the other
// accumulator is merged.
type Base struct {
	Name  string
	Words int
	// Add adds a sample. Its numbers are separate arguments, because a pointer to them would cost an
	// allocation for each event.
	Add func(n uint64, w []uint64, value float64, time int64, order uint64)
	// Merge adds another base with m samples to one with n, neither 0. The other's samples count as
	// the later ones.
	Merge func(n uint64, w []uint64, m uint64, v []uint64)
	// Object is set instead of Add and Merge if words do not suffice.
	Object *ObjectBase
}

// ObjectBase holds the functions of a base with an object. An object is nil until the first sample;
// unsampled reports that the sample could not be kept.
type ObjectBase struct {
	Add   func(n uint64, w []uint64, o *Object, s Sample) (unsampled bool)
	Merge func(n uint64, w []uint64, o *Object, m uint64, v []uint64, p Object)
	Read  func(r *codec.Reader) Object
	// Required means that an accumulator with a sample always has an object.
	Required bool
	// Optional means that Add may be called without an object (o is nil) for samples without
	// metadata.
	Optional bool
}

// Object is what a base holds beyond words: a sketch, samples, a text.
type Object interface {
	Append(b []byte) []byte // the canonical form
	Clone() Object
	// approximate length of the canonical form, at no cost; equal objects give equal results
	Bytes() int
}

// Text is an object that is a string.
type Text string

// Append appends the length and the bytes.
func (t Text) Append(b []byte) []byte { return codec.AppendString(b, t) }

// Bytes returns the text's length.
func (t Text) Bytes() int { return len(t) }

// Clone returns the text itself.
func (t Text) Clone() Object { return t }

func readText(r *codec.Reader) Object { return Text(r.String()) }

func getFloat(w uint64) float64 { return math.Float64frombits(w) }
func putFloat(f float64) uint64 { return math.Float64bits(f) }
