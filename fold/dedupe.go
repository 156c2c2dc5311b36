package fold

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// verdict says how an event relates to those before it (S6).
type verdict uint8

const (
	fresh     verdict = iota
	duplicate         // a copy of an accepted event
	unchecked         // its id or sequence can no longer be checked
)

// seen is what identifies duplicates: ids with their times, or producers' ranges of sequences.
type seen struct {
	ring  []remembered // ordered by (time, arrival), from head on
	head  int
	floor int64 // an unknown id with this time or an earlier one cannot be checked
	rare  *seenRare
}

// seenRare holds what a dashboard with few ids in order of time does not need.
type seenRare struct {
	heap      rememberedHeap // ids that came out of order
	arrivals  uint32         // counts what entered the heap
	table     *idTable       // nil up to indexBeyondIDs ids
	invented  *invented      // nil: none
	producers []producer     // ordered by name
	ranges    int            // total number of ranges of all producers
}

// remembered is an id, by its 128-bit hash: no two ids will ever collide.
type remembered struct {
	hash xxh3.Uint128
	time int64
}

// indexBeyondIDs is the number of ids up to which a linear search is used.
const indexBeyondIDs = 16

func newSeen() seen { return seen{floor: messages.NoTime} }

func (s *seen) getRare() *seenRare {
	if s.rare == nil {
		s.rare = &seenRare{}
	}
	return s.rare
}

// judge judges an event with that time, at that log time, and remembers it if it is fresh.
func (s *seen) judge(p *Program, e *event.Event, t, logTime int64) verdict {
	switch {
	case p.dedupe == definition.ByID && e.ID != "":
		hash := hashOf(e.ID)
		if e.ID[0] != inventedMark {
			return s.judgeID(hash, t)
		}
		if rare := s.getRare(); rare.invented == nil {
			rare.invented = &invented{}
		}
		return s.rare.invented.judge(hash, logTime)
	case p.dedupe == definition.ByProducer && e.Producer != "" && e.HasSequence:
		return s.judgeSequence(e.Producer, e.Sequence)
	}
	return fresh
}

func hashOf(id string) xxh3.Uint128 {
	hash := xxh3.HashString128(id)
	if hash == (xxh3.Uint128{}) {
		hash.Lo = 1 // the zero hash marks an empty slot in the table
	}
	return hash
}

func (s *seen) judgeID(hash xxh3.Uint128, t int64) verdict {
	if s.has(hash) {
		return duplicate
	}
	if t <= s.floor {
		return unchecked
	}
	s.remember(remembered{hash, t})
	if s.ids() > MaxIDs {
		s.floor = max(s.floor, s.dropLowest())
	}
	return fresh
}

// ids returns how many ids are remembered.
func (s *seen) ids() int {
	n := len(s.ring) - s.head
	if s.rare != nil {
		n += len(s.rare.heap)
	}
	return n
}

// bytes returns the approximate length of the canonical form.
func (s *seen) bytes() int {
	const idBytes, producerBytes, rangeBytes = 18, 40, 8
	n := idBytes * s.ids()
	if r := s.rare; r != nil {
		n += producerBytes*len(r.producers) + rangeBytes*r.ranges
		if r.invented != nil {
			n += idBytes * r.invented.len()
		}
	}
	return n
}

func (s *seen) has(hash xxh3.Uint128) bool {
	if s.rare != nil && s.rare.table != nil {
		return s.rare.table.has(hash)
	}
	for i := s.head; i < len(s.ring); i++ {
		if s.ring[i].hash == hash {
			return true
		}
	}
	if s.rare != nil {
		for i := range s.rare.heap {
			if s.rare.heap[i].hash == hash {
				return true
			}
		}
	}
	return false
}

func (s *seen) remember(r remembered) {
	if n := len(s.ring); n > s.head && r.time < s.ring[n-1].time {
		rare := s.getRare()
		rare.arrivals++
		rare.heap.push(unordered{r, rare.arrivals})
	} else {
		if n == cap(s.ring) && s.head > n/4 {
			s.ring = s.ring[:copy(s.ring, s.ring[s.head:])]
			s.head = 0
		}
		s.ring = appendTight(s.ring, r)
	}
	switch {
	case s.rare != nil && s.rare.table != nil:
		s.rare.table.add(r.hash)
	case s.ids() > indexBeyondIDs:
		s.index()
	}
}

// index builds the table of all ids.
func (s *seen) index() {
	t := &idTable{}
	for i := s.head; i < len(s.ring); i++ {
		t.add(s.ring[i].hash)
	}
	rare := s.getRare()
	for i := range rare.heap {
		t.add(rare.heap[i].hash)
	}
	rare.table = t
}

// lowest returns the least time remembered, and whether it lies in the heap. Of equal times the one
// in the ring came first: an id goes to the heap only while the ring ends later.
func (s *seen) lowest() (time int64, inHeap, ok bool) {
	if s.rare != nil && len(s.rare.heap) > 0 {
		time, inHeap, ok = s.rare.heap[0].time, true, true
	}
	if s.head < len(s.ring) && (!ok || s.ring[s.head].time <= time) {
		return s.ring[s.head].time, false, true
	}
	return time, inHeap, ok
}

// dropLowest forgets the id with the lowest (time, arrival) and returns its time.
func (s *seen) dropLowest() int64 {
	var r remembered
	if _, inHeap, _ := s.lowest(); inHeap {
		r = s.rare.heap.pop().remembered
	} else {
		r = s.ring[s.head]
		if s.head++; s.head == len(s.ring) {
			s.ring, s.head = s.ring[:0], 0
		}
	}
	if s.rare != nil && s.rare.table != nil {
		s.rare.table.remove(r.hash)
	}
	return r.time
}

// forget forgets the ids that W has passed by more than the horizon.
func (s *seen) forget(p *Program, watermark int64) {
	s.floor = max(s.floor, watermark-p.horizon-1)
	for {
		time, _, ok := s.lowest()
		if !ok || time > s.floor || watermark <= time+p.horizon {
			return
		}
		s.dropLowest()
	}
}

// append appends the canonical form: floor, the ids ordered by (time, arrival), the invented ids in
// log order, the producers.
func (s *seen) append(b []byte) []byte {
	b = binary.AppendVarint(b, s.floor)
	b = binary.AppendUvarint(b, uint64(s.ids()))
	var heap rememberedHeap
	if s.rare != nil {
		heap = append(heap, s.rare.heap...)
	}
	rest := seen{ring: s.ring, head: s.head, rare: &seenRare{heap: heap}}
	for before := int64(0); rest.ids() > 0; {
		var r remembered
		if _, inHeap, _ := rest.lowest(); inHeap {
			r = rest.rare.heap.pop().remembered
		} else {
			r = rest.ring[rest.head]
			rest.head++
		}
		b = appendRemembered(b, r, before)
		before = r.time
	}
	rare := s.rare
	if rare == nil {
		rare = &seenRare{}
	}
	return appendProducers(rare.invented.append(b), rare.producers)
}

// leastRemembered is the least number of bytes of an id.
const leastRemembered = 17

func appendRemembered(b []byte, r remembered, before int64) []byte {
	b = binary.LittleEndian.AppendUint64(b, r.hash.Hi)
	b = binary.LittleEndian.AppendUint64(b, r.hash.Lo)
	return binary.AppendVarint(b, r.time-before)
}

func readRemembered(r *codec.Reader, before int64) remembered {
	return remembered{hash: xxh3.Uint128{Hi: r.Fixed(), Lo: r.Fixed()}, time: before + r.Varint()}
}

func readSeen(r *codec.Reader) seen {
	s := seen{floor: r.Varint()}
	n := r.Count(leastRemembered)
	r.Check(n <= MaxIDs)
	if r.Failed {
		return s
	}
	s.ring = make([]remembered, n)
	for i, before := 0, int64(0); i < n && !r.Failed; i++ {
		s.ring[i] = readRemembered(r, before)
		r.Check(i == 0 || s.ring[i].time >= before)
		before = s.ring[i].time
	}
	if n > indexBeyondIDs && !r.Failed {
		s.index()
	}
	if ids := readInvented(r); ids != nil {
		s.getRare().invented = ids
	}
	if producers := readProducers(r); len(producers) > 0 {
		rare := s.getRare()
		rare.producers = producers
		for _, p := range producers {
			rare.ranges += len(p.ranges)
		}
	}
	return s
}
