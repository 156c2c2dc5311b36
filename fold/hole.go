package fold

import (
	"encoding/binary"
	"fmt"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages"
)

// MaxHoles is how many holes a shard's log may have had.
const MaxHoles = 256

// Hole is a part of a shard's log that was lost before it was folded, which an operator has
// accepted. It is part of the shard's state, not a record of the log: nobody who has folded what
// lay there is told of it by the log, and nobody has to agree when it was accepted. Who goes on
// behind it is in another epoch, named by both its ends, by the epoch before, and by the
// dashboard's last record: a checkpoint may hold some that lie behind its marker, and lie in the
// hole.
type Hole struct {
	From, To messages.Position // the last position folded, and the first record behind the hole
	LogTime  int64             // at From
}

// Skip adds a hole between where the state stands and a record.
func (s *ShardState) Skip(from, to messages.Position) error {
	if len(s.holes) >= MaxHoles {
		return fmt.Errorf("the log has had %d holes, no more are allowed: begin a new one", MaxHoles)
	}
	if !to.After(from) {
		return fmt.Errorf("a hole from %s to %s has no length: it is another log's", from, to)
	}
	s.holes = append(s.holes[:len(s.holes):len(s.holes)], Hole{from, to, s.logTime})
	return nil
}

// Holes are the shard's, oldest first. Nobody changes them.
func (s *ShardState) Holes() []Hole { return s.holes }

// Skip takes those of the shard's holes that the dashboard has not taken yet. Each is a step and a
// break. A dashboard without a record takes no step, but the epoch that its first record begins is
// another: its default may have been lost. It must be called before the first record behind a hole.
func (d *Dashboard) Skip(holes []Hole) {
	for int(d.holes) < len(holes) {
		h := holes[d.holes]
		d.holes++
		if d.epoch == 0 {
			d.behind = epochOf(d.region, d.key, d.behind, h.From, h.To)
			continue
		}
		d.Advance(h.LogTime)
		d.set.Advance(d.set.Version() + 1)
		d.time = max(d.time, h.LogTime)
		d.epoch = epochOf(d.region, d.key, d.epoch, d.position, h.From, h.To)
		d.set.Forget()
	}
}

func appendHoles(b []byte, holes []Hole) []byte {
	b = binary.AppendUvarint(b, uint64(len(holes)))
	for _, h := range holes {
		b = h.To.Append(h.From.Append(b))
		b = binary.AppendVarint(b, h.LogTime)
	}
	return b
}

func readHoles(r *codec.Reader) []Hole {
	n := r.Count(2*messages.PositionBytes + 1)
	r.Check(n <= MaxHoles)
	var holes []Hole
	for i := 0; i < n && !r.Failed; i++ {
		h := Hole{
			From: messages.Position{Hi: readBig(r), Lo: readBig(r)},
			To:   messages.Position{Hi: readBig(r), Lo: readBig(r)},
		}
		h.LogTime = r.Varint()
		r.Check(h.To.After(h.From))
		holes = append(holes, h)
	}
	return holes
}
