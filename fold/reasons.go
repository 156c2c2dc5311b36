package fold

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/fold/codec"
)

// reasons counts by reason, at most MaxReasons of them, ordered by reason.
type reasons []reasonCount

type reasonCount struct {
	reason string
	n      uint64
}

// otherReason counts all reasons beyond MaxReasons.
const otherReason = "other"

func (l *reasons) count(reason string) {
	at, found := l.find(reason)
	if !found && len(*l) >= MaxReasons-1 {
		reason = otherReason
		at, found = l.find(reason)
	}
	if !found {
		*l = slices.Insert(*l, at, reasonCount{strings.Clone(reason), 0})
	}
	(*l)[at].n++
}

func (l *reasons) find(reason string) (at int, found bool) {
	return slices.BinarySearchFunc(*l, reason, func(c reasonCount, s string) int { return cmp.Compare(c.reason, s) })
}

func (l reasons) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(l)))
	for _, c := range l {
		b = binary.AppendUvarint(codec.AppendString(b, c.reason), c.n)
	}
	return b
}

func readReasons(r *codec.Reader) reasons {
	n := r.Count(2)
	r.Check(n <= MaxReasons)
	var l reasons
	for i := 0; i < n && !r.Failed; i++ {
		c := reasonCount{r.String(), r.Uvarint()}
		r.Check(c.n > 0 && (i == 0 || l[i-1].reason < c.reason))
		l = append(l, c)
	}
	return l
}
