package fold

import (
	"encoding/binary"
	"fmt"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages"
)

// MaxHoles is the greatest number of holes in a shard's log.
const MaxHoles = 256

// Hole is a part of a shard's log that was lost before this node folded it and that an operator has
// accepted as lost. It is part of the shard's state, not a record of the log: the log does not tell
// nodes that have folded the lost part, and no agreement is needed when it is accepted. A node that
// continues behind the hole is in another epoch. That epoch is named by both ends of the hole, the
// previous epoch and the dashboard's last record, because a checkpoint may hold dashboards that are
// ahead of its marker, inside the hole.
type Hole struct {
	From, To messages.Position // the last position folded, and the first record behind the hole
	LogTime  int64             // at From
}

// Skip adds a hole between the state's position and a record.
func (s *ShardState) Skip(from, to messages.Position) error {
	if len(s.holes) >= MaxHoles {
		return fmt.Errorf("the log has %d holes, and no more are allowed: start a new log", MaxHoles)
	}
	if !to.After(from) {
		return fmt.Errorf("the hole from %s to %s has no length: it belongs to another log", from, to)
	}
	s.holes = append(s.holes[:len(s.holes):len(s.holes)], Hole{from, to, s.logTime})
	return nil
}

// Holes returns the shard's holes, oldest first. Nobody changes them.
func (s *ShardState) Holes() []Hole { return s.holes }

// Skip passes those of the shard's holes that the dashboard has not passed yet. Each is a step and
// a break. A dashboard without a record takes no step, but its first record begins another epoch,
// because its tenant's default may have been lost. Call it before the first record behind a hole.
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
