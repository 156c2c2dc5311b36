package fold

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages"
)

// maxRefusedText limits a producer's name and a reason in a Refusal; longer text is cut.
const maxRefusedText = 64

// Refusal is a record of a shard that no dashboard folded: its dashboard is unknown, or the log did
// not accept the record as what it claims to be and its home is elsewhere.
type Refusal struct {
	Position messages.Position
	Append   int64  // append time, ms
	Producer string // "" if the log does not know it
	Reason   string
}

// refusals counts the refused records and keeps the newest MaxListed, oldest first. They are part
// of the shard's state, so each counts once, however often and by however many nodes it is read.
type refusals struct {
	counts reasons
	newest []Refusal
}

func (x *refusals) add(r *messages.Record, appended int64) {
	reason := shorten(r.Refused)
	x.counts.count(reason)
	if len(x.newest) == MaxListed {
		x.newest = append(x.newest[:0], x.newest[1:]...)
	}
	x.newest = append(x.newest, Refusal{r.Position, appended, strings.Clone(shorten(r.Producer)), strings.Clone(reason)})
}

// shorten cuts a text between two characters.
func shorten(s string) string {
	if len(s) <= maxRefusedText {
		return s
	}
	n := maxRefusedText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Refusals returns a copy of the newest records that no dashboard folded, oldest first.
func (s *ShardState) Refusals() []Refusal { return slices.Clone(s.refusals.newest) }

// RefusedCounts returns how many records no dashboard folded, by reason.
func (s *ShardState) RefusedCounts() map[string]uint64 {
	m := make(map[string]uint64, len(s.refusals.counts))
	for _, c := range s.refusals.counts {
		m[c.reason] = c.n
	}
	return m
}

func (x *refusals) append(b []byte) []byte {
	b = x.counts.append(b)
	b = binary.AppendUvarint(b, uint64(len(x.newest)))
	for i := range x.newest {
		e := &x.newest[i]
		b = e.Position.Append(b)
		b = binary.AppendVarint(b, e.Append)
		b = codec.AppendString(b, e.Producer)
		b = codec.AppendString(b, e.Reason)
	}
	return b
}

func readRefusals(r *codec.Reader) refusals {
	x := refusals{counts: readReasons(r)}
	const leastBytes = messages.PositionBytes + 3
	n := r.Count(leastBytes)
	r.Check(n <= MaxListed)
	for i := 0; i < n && !r.Failed; i++ {
		e := Refusal{Position: messages.Position{Hi: readBig(r), Lo: readBig(r)}, Append: r.Varint(), Producer: r.String(), Reason: r.String()}
		r.Check(len(e.Producer) <= maxRefusedText && len(e.Reason) <= maxRefusedText)
		x.newest = append(x.newest, e)
	}
	return x
}
