package aggregate

import "slices"

// Slab holds a panel's accumulators in one slice, so that an accumulator needs no pointer. The zero
// Slab is empty. References count from 1; 0 means none.
type Slab struct {
	words   []uint64
	objects *[]Object
	free    uint32 // first free accumulator, linked by word 0
	taken   uint32 // how many accumulators exist, including the free ones
	bytes   int    // approximate length of the canonical forms of those in use
}

// Bytes returns the approximate length of the canonical forms of all accumulators in use.
func (s *Slab) Bytes() int { return s.bytes }

// Take returns an empty accumulator.
func (s *Slab) Take(l *Layout) uint32 {
	s.bytes += wordBytes * l.words
	if i := s.free; i != 0 {
		w := s.at(l, i)
		s.free = uint32(w[0])
		clear(w)
		return i
	}
	s.taken++
	if len(s.words)+l.words > cap(s.words) {
		s.words = slices.Grow(s.words, l.words*int(1+s.taken/4))
	}
	s.words = s.words[:len(s.words)+l.words]
	clear(s.words[len(s.words)-l.words:])
	if s.objects != nil {
		*s.objects = append(*s.objects, make([]Object, l.objects)...)
	} else if l.objects > 0 && !l.lazy {
		s.needObjects(l)
	}
	return s.taken
}

// Give returns an accumulator to the slab.
func (s *Slab) Give(l *Layout, i uint32) {
	a := s.At(l, i)
	s.bytes -= wordBytes*l.words + objectBytes(a.Objects)
	clear(a.Objects)
	a.Words[0] = uint64(s.free)
	s.free = i
}

// At returns the accumulator with that reference. It is valid until the next Take.
func (s *Slab) At(l *Layout, i uint32) Acc {
	a := Acc{Words: s.at(l, i)}
	if s.objects != nil {
		a.Objects = (*s.objects)[int(i-1)*l.objects : int(i)*l.objects]
	}
	return a
}

// Replace overwrites an accumulator with the content of a; it keeps a's objects.
func (s *Slab) Replace(l *Layout, i uint32, a Acc) {
	copy(s.at(l, i), a.Words)
	for _, o := range a.Objects {
		if o != nil {
			s.needObjects(l)
		}
	}
	if to := s.At(l, i).Objects; to != nil {
		s.bytes += objectBytes(a.Objects) - objectBytes(to)
		copy(to, a.Objects)
	}
}

// Add adds a sample to an accumulator. unsampled reports that the sample could not be kept
// entirely.
func (s *Slab) Add(l *Layout, i uint32, x *Sample) (unsampled bool) {
	if l.objects == 0 {
		n := s.at(l, i)
		return l.add(Acc{Words: n}, x)
	}
	if s.objects == nil && len(x.Metadata) > 0 {
		s.needObjects(l)
	}
	a := s.At(l, i)
	s.bytes -= objectBytes(a.Objects)
	unsampled = l.add(a, x)
	s.bytes += objectBytes(a.Objects)
	return unsampled
}

const wordBytes = 8

func objectBytes(objects []Object) (n int) {
	for _, o := range objects {
		if o != nil {
			n += o.Bytes()
		}
	}
	return n
}

// AddNewest is Add for the layout of Newest's columns. It also reports whether the sample is now
// the newest.
func (s *Slab) AddNewest(l *Layout, i uint32, x *Sample) (newer, unsampled bool) {
	if s.objects == nil && l.lazy && len(x.Metadata) == 0 {
		// Nearly every event takes this path: no call, no copy of the sample.
		w := s.at(l, i)
		_ = w[3]
		if n := w[0]; n > 0 && x.Time < int64(w[2]) {
			w[0] = n + 1
			return false, false
		}
		w[0], w[1], w[2], w[3] = w[0]+1, putFloat(x.Value), uint64(x.Time), x.Order
		return true, false
	}
	unsampled = s.Add(l, i, x)
	return s.at(l, i)[3] == x.Order, unsampled
}

func (s *Slab) at(l *Layout, i uint32) []uint64 {
	return s.words[int(i-1)*l.words : int(i)*l.words]
}

func (s *Slab) needObjects(l *Layout) {
	if s.objects == nil {
		objects := make([]Object, int(s.taken)*l.objects)
		s.objects = &objects
	}
}
