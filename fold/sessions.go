package fold

import "math"

// sessions holds a panel's session windows. Each group has its own, linked from the latest end to
// the earliest. Unpurged sessions of a group neither overlap nor touch, so they are ordered by
// start too; but one may have grown back past the start of a purged session, or over it. All
// unpurged sessions end later than all purged ones, and no two of a group end at the same time.
// References count from 1.
type sessions struct {
	list []session
	free uint32 // first free session, linked by next
	due  [3]endHeap
}

// The heaps in which a session waits, each ordered by end: until it is final, until it is purged,
// until it leaves keep.
const (
	untilFinal = iota
	untilPurged
	untilLeft
)

type session struct {
	start, end int64
	cell       uint32 // handle + 1; 0 after it left keep
	group      uint32
	next       uint32
	final      bool
	left       bool
	place      [3]uint32 // index in each heap, from 1; 0: no longer waiting
}

func (s *sessions) at(x uint32) *session { return &s.list[x-1] }

func (s *sessions) add(n session) uint32 {
	x := s.free
	if x != 0 {
		s.free = s.at(x).next
	} else {
		s.list = append(s.list, session{})
		x = uint32(len(s.list))
	}
	*s.at(x) = n
	return x
}

// wait puts a session into the heaps of what is still to come for it.
func (s *sessions) wait(x uint32, purged bool) {
	e := s.at(x)
	if !e.final {
		s.due[untilFinal].push(s, untilFinal, x)
	}
	if !purged {
		s.due[untilPurged].push(s, untilPurged, x)
	}
	if !e.left {
		s.due[untilLeft].push(s, untilLeft, x)
	}
}

// removeFromHeaps takes a session out of all heaps.
func (s *sessions) removeFromHeaps(x uint32) {
	for k := range s.due {
		s.due[k].remove(s, k, x)
	}
}

// grow moves a session's end.
func (s *sessions) grow(x uint32, end int64) {
	e := s.at(x)
	if end == e.end {
		return
	}
	e.end = end
	for k := range s.due {
		if at := e.place[k]; at != 0 {
			s.due[k].down(s, k, int(at-1))
		}
	}
}

// open returns the least end of a session that is not final.
func (s *sessions) open() int64 {
	if h := s.due[untilFinal]; len(h) > 0 {
		return s.at(h[0]).end
	}
	return math.MaxInt64
}

// pop removes and returns a session whose end is due, or 0.
func (s *sessions) pop(k int, end int64) uint32 {
	h := s.due[k]
	if len(h) == 0 || s.at(h[0]).end > end {
		return 0
	}
	x := h[0]
	s.due[k].remove(s, k, x)
	return x
}

// endHeap is a binary heap of sessions with the least end on top. Each session stores its index in
// the heap.
type endHeap []uint32

func (h *endHeap) push(s *sessions, k int, x uint32) {
	*h = append(*h, x)
	s.at(x).place[k] = uint32(len(*h))
	h.up(s, k, len(*h)-1)
}

func (h *endHeap) remove(s *sessions, k int, x uint32) {
	at := int(s.at(x).place[k]) - 1
	if at < 0 {
		return
	}
	last := len(*h) - 1
	h.swap(s, k, at, last)
	*h = (*h)[:last]
	s.at(x).place[k] = 0
	if at < last {
		h.down(s, k, at)
		h.up(s, k, at)
	}
}

func (h endHeap) up(s *sessions, k, at int) {
	for at > 0 && s.at(h[at]).end < s.at(h[(at-1)/2]).end {
		h.swap(s, k, at, (at-1)/2)
		at = (at - 1) / 2
	}
}

func (h endHeap) down(s *sessions, k, at int) {
	for {
		least := at
		for child := 2*at + 1; child <= 2*at+2 && child < len(h); child++ {
			if s.at(h[child]).end < s.at(h[least]).end {
				least = child
			}
		}
		if least == at {
			return
		}
		h.swap(s, k, at, least)
		at = least
	}
}

func (h endHeap) swap(s *sessions, k, i, j int) {
	h[i], h[j] = h[j], h[i]
	s.at(h[i]).place[k] = uint32(i + 1)
	s.at(h[j]).place[k] = uint32(j + 1)
}
