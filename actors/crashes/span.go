package crashes

import (
	"fmt"

	"github.com/dashfeed/dashfeed/messages"
)

// Span is records of one shard: those behind After, up to and with Through. A zero Through says
// that it is not known how far: the process ended while it read.
type Span struct{ After, Through messages.Position }

// String is for people.
func (s Span) String() string {
	if s.Through.IsZero() {
		return fmt.Sprintf("behind position %s", s.After)
	}
	return fmt.Sprintf("behind position %s up to %s", s.After, s.Through)
}

// common is what two spans have in common; false where there is nothing. One whose end is not known
// has in common with another what comes right behind its beginning: what was read then was a batch.
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

// Passed reports whether a shard that has folded up to the position has come behind the span; where
// its end is not known, behind its beginning.
func (s Span) Passed(folded messages.Position) bool {
	if s.Through.IsZero() {
		return folded.After(s.After)
	}
	return !s.Through.After(folded)
}

// known is what is remembered of one shard.
type known struct {
	name    [16]byte
	used    bool
	busy    bool // it is at records
	at      Span
	careful bool   // it reads the suspect, alone and a record at a time: what it ends at is in it
	ends    uint32 // how many ends of the process there were at suspect
	suspect Span
}

// ended takes an end of the process that nobody had asked for into account.
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
