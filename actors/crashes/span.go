package crashes

import (
	"fmt"

	"github.com/dashfeed/dashfeed/messages"
)

// Span is a range of one shard's records: those behind After up to Through, inclusive. A zero
// Through means that the end is unknown: the process ended while it read.
type Span struct{ After, Through messages.Position }

// String returns the span in words, for messages.
func (s Span) String() string {
	if s.Through.IsZero() {
		return fmt.Sprintf("behind position %s", s.After)
	}
	return fmt.Sprintf("behind position %s up to %s", s.After, s.Through)
}

// common returns the overlap of two spans, and false if there is none. A span without known end
// overlaps a span that contains its beginning, from that beginning on: the process was reading a
// batch there.
func (s Span) common(o Span) (Span, bool) {
	if s.Through.IsZero() && o.Through.IsZero() {
		return s, s == o
	}
	if s.Through.IsZero() {
		s, o = o, s
	}
	if o.Through.IsZero() {
		return Span{o.After, s.Through}, !s.After.After(o.After) && s.Through.After(o.After)
	}
	if o.After.After(s.After) {
		s.After = o.After
	}
	if s.Through.After(o.Through) {
		s.Through = o.Through
	}
	return s, s.Through.After(s.After)
}

// Passed reports whether a shard that has folded up to the position has folded the span. If the
// span's end is unknown, it reports whether the shard is behind the beginning.
func (s Span) Passed(folded messages.Position) bool {
	if s.Through.IsZero() {
		return folded.After(s.After)
	}
	return !s.Through.After(folded)
}

// known is what is recorded of one shard.
type known struct {
	name [16]byte
	used bool
	busy bool // it is working on records
	at   Span
	// it reads the suspected span alone and one record at a time: the record to blame is where it ends
	careful bool
	ends    uint32 // how many times the process ended at suspect
	suspect Span
}

// ended counts an end of the process that nobody had asked for.
func (k *known) ended() {
	if !k.busy {
		return
	}
	common, same := k.suspect.common(k.at)
	switch {
	case k.ends == 0 || !same && !k.careful:
		k.ends, common = 0, k.at
	case k.careful:
		common = k.at
	}
	k.ends, k.suspect, k.busy, k.careful = k.ends+1, common, false, false
}
