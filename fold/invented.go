package fold

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/fold/codec"
)

// inventedMark begins the ids that a client invents for events that came without one (S6).
const inventedMark = '~'

// invented holds the ids that a client invented, in log order. They tell that the same file is sent
// again. Nothing follows from their absence, so they need no floor.
type invented struct {
	queue []remembered // from head on; time is the log time at the record
	head  int
	table idTable
}

func (s *invented) len() int { return len(s.queue) - s.head }

// judge reports whether the id is remembered, and remembers it if not.
func (s *invented) judge(hash xxh3.Uint128, logTime int64) verdict {
	if s.len() > 0 && s.table.has(hash) {
		return duplicate
	}
	if n := len(s.queue); n == cap(s.queue) && s.head > n/4 {
		s.queue = s.queue[:copy(s.queue, s.queue[s.head:])]
		s.head = 0
	}
	s.add(remembered{hash, logTime})
	if s.len() > MaxIDs {
		s.drop()
	}
	return fresh
}

func (s *invented) add(r remembered) {
	s.queue = append(s.queue, r)
	s.table.add(r.hash)
}

// drop forgets the oldest id.
func (s *invented) drop() {
	s.table.remove(s.queue[s.head].hash)
	if s.head++; s.head == len(s.queue) {
		s.queue, s.head = s.queue[:0], 0
	}
}

// forget forgets the ids whose record is behind log time by more than the horizon.
func (s *invented) forget(horizon, logTime int64) {
	for s.len() > 0 && logTime > s.queue[s.head].time+horizon {
		s.drop()
	}
}

// append appends the number of ids, and each id with the increase of log time.
func (s *invented) append(b []byte) []byte {
	if s == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(s.len()))
	before := int64(0)
	for _, r := range s.queue[s.head:] {
		b = appendRemembered(b, r, before)
		before = r.time
	}
	return b
}

func readInvented(r *codec.Reader) *invented {
	n := r.Count(leastRemembered)
	r.Check(n <= MaxIDs)
	if n == 0 || r.Failed {
		return nil
	}
	s := &invented{queue: make([]remembered, 0, n)}
	for before := int64(0); s.len() < n && !r.Failed; {
		id := readRemembered(r, before)
		r.Check(id.time == clampTime(id.time) && (s.len() == 0 || id.time >= before))
		before = id.time
		s.add(id)
	}
	return s
}
