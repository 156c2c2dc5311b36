package fold

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages"
)

// MaxOrigins is from how many other partitions a shard takes forwarded records. A tenant has fewer
// partitions; beyond it records are passed over.
const MaxOrigins = 4096

// origins is, by partition, the position there of the last record forwarded from it. A forwarder
// that has taken over begins at the newest checkpoint and forwards some records again, in order:
// what lies no further than the last one is here already.
type origins map[int]messages.Position

// pass reports whether a record with that origin is to be passed over, and remembers it if not.
func (o origins) pass(from messages.Origin) (bool, error) {
	last, known := o[from.Partition]
	if !known && (len(o) >= MaxOrigins || from.Partition < 0 || from.Partition > math.MaxInt32) {
		return true, fmt.Errorf("forwarded from partition %d: at most %d other partitions are allowed, from 0 on", from.Partition, MaxOrigins)
	}
	if known && !from.Position.After(last) {
		return true, nil
	}
	o[from.Partition] = from.Position
	return false, nil
}

// append appends partitions and positions, by partition.
func (o origins) append(b []byte) []byte {
	partitions := make([]int, 0, len(o))
	for p := range o {
		partitions = append(partitions, p)
	}
	slices.Sort(partitions)
	b = binary.AppendUvarint(b, uint64(len(partitions)))
	for _, p := range partitions {
		b = binary.AppendUvarint(b, uint64(p))
		b = o[p].Append(b)
	}
	return b
}

func readOrigins(r *codec.Reader) origins {
	n := r.Count(1 + messages.PositionBytes)
	r.Check(n <= MaxOrigins)
	o := make(origins, n)
	for i, last := 0, -1; i < n && !r.Failed; i++ {
		p := r.Uint32()
		at := messages.Position{Hi: readBig(r), Lo: readBig(r)}
		r.Check(int(p) > last && !at.IsZero())
		last = int(p)
		o[last] = at
	}
	return o
}
