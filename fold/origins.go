package fold

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages"
)

// MaxOrigins is the greatest number of other partitions from which a shard accepts forwarded
// records. A tenant has fewer partitions; records from more are ignored.
const MaxOrigins = 4096

// origins maps a partition to the position of the last record forwarded from it. A forwarder that
// takes over begins at the newest checkpoint and forwards some records again, in order: a record at
// or before that position has already been folded.
type origins map[int]messages.Position

// repeated reports whether to ignore a record with that origin, and remembers the origin if not.
func (o origins) repeated(from messages.Origin) (bool, error) {
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

// append appends partitions and positions, ordered by partition.
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
