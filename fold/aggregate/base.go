package aggregate

import (
	"math"

	"github.com/dashfeed/dashfeed/fold/codec"
)

// Sample is what an accumulator learns of one event.
type Sample struct {
	Time     int64 // ms
	Value    float64
	Order    uint64 // the version at which the event is folded
	ID       string // the event's id where ties are settled by id; may alias the event's bytes
	Metadata []byte // may alias the event's bytes
	Overflow bool   // the accumulator is the overflow group's
	Full     bool   // the dashboard's state has reached its bound: samples are given up
}

// Base is a part of an accumulator: what one or more columns are read from. Columns that need a
// base of the same name share it. A base keeps words, or words and an object. The accumulator
// itself counts its samples: n and m are that count, before the sample is added or the other is
// merged.
type Base struct {
	Name  string
	Words int
	// Add takes a sample. Its numbers come one by one, since a pointer to them would cost an
	// allocation an event.
	Add func(n uint64, w []uint64, value float64, time int64, order uint64)
	// Merge takes another base of n and m samples, neither 0, whose samples count as the later
	// ones.
	Merge func(n uint64, w []uint64, m uint64, v []uint64)
	// Object is set instead of Add and Merge where words do not suffice.
	Object *ObjectBase
}

// ObjectBase is how a base with an object does it. An object is nil until the first sample;
// unsampled says that the sample could not be kept.
type ObjectBase struct {
	Add   func(n uint64, w []uint64, o *Object, s Sample) (unsampled bool)
	Merge func(n uint64, w []uint64, o *Object, m uint64, v []uint64, p Object)
	Read  func(r *codec.Reader) Object
	// Required: wherever there is a sample there is an object.
	Required bool
	// Optional: Add need not be called with an object (o is nil) for samples without metadata.
	Optional bool
}

// Object is what a base keeps beyond words: a sketch, samples, a text.
type Object interface {
	Append(b []byte) []byte // canonical
	Clone() Object
	Bytes() int // about how long the canonical form is; equal objects give the same, at once
}

// Text is an object that is a string.
type Text string

// Append appends length and bytes.
func (t Text) Append(b []byte) []byte { return codec.AppendString(b, t) }

// Bytes is the text's length.
func (t Text) Bytes() int { return len(t) }

// Clone is the text.
func (t Text) Clone() Object { return t }

func readText(r *codec.Reader) Object { return Text(r.String()) }

func getFloat(w uint64) float64 { return math.Float64frombits(w) }
func putFloat(f float64) uint64 { return math.Float64bits(f) }
