package fold

import "github.com/zeebo/xxh3"

// idTable is an open-addressed set of hashes, at most half full. A hash determines its own slot.
type idTable struct {
	slots []xxh3.Uint128
	used  int
}

const leastSlots = 64

func (t *idTable) has(h xxh3.Uint128) bool {
	mask := uint64(len(t.slots) - 1)
	for s := h.Lo & mask; t.slots[s] != (xxh3.Uint128{}); s = (s + 1) & mask {
		if t.slots[s] == h {
			return true
		}
	}
	return false
}

func (t *idTable) add(h xxh3.Uint128) {
	if 2*(t.used+1) > len(t.slots) {
		old := t.slots
		t.slots, t.used = make([]xxh3.Uint128, max(leastSlots, 2*len(old))), 0
		for _, o := range old {
			if o != (xxh3.Uint128{}) {
				t.place(o)
			}
		}
	}
	t.place(h)
}

func (t *idTable) place(h xxh3.Uint128) {
	mask := uint64(len(t.slots) - 1)
	s := h.Lo & mask
	for t.slots[s] != (xxh3.Uint128{}) {
		s = (s + 1) & mask
	}
	t.slots[s] = h
	t.used++
}

// remove closes the gap that the entry leaves, so that no search ends early.
func (t *idTable) remove(h xxh3.Uint128) {
	mask := uint64(len(t.slots) - 1)
	hole := h.Lo & mask
	for t.slots[hole] != h {
		if t.slots[hole] == (xxh3.Uint128{}) {
			return
		}
		hole = (hole + 1) & mask
	}
	for s := (hole + 1) & mask; t.slots[s] != (xxh3.Uint128{}); s = (s + 1) & mask {
		if (s-t.slots[s].Lo)&mask >= (s-hole)&mask {
			t.slots[hole] = t.slots[s]
			hole = s
		}
	}
	t.slots[hole] = xxh3.Uint128{}
	t.used--
}

// unordered is an id that came out of order of time.
type unordered struct {
	remembered
	arrival uint32
}

func (u unordered) before(o unordered) bool {
	return u.time < o.time || u.time == o.time && u.arrival < o.arrival
}

// rememberedHeap is a binary heap ordered by (time, arrival).
type rememberedHeap []unordered

func (h *rememberedHeap) push(u unordered) {
	*h = append(*h, u)
	a := *h
	for i := len(a) - 1; i > 0 && a[i].before(a[(i-1)/2]); i = (i - 1) / 2 {
		a[i], a[(i-1)/2] = a[(i-1)/2], a[i]
	}
}

func (h *rememberedHeap) pop() unordered {
	a := *h
	top, last := a[0], len(a)-1
	a[0] = a[last]
	a = a[:last]
	*h = a
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if a[child].before(a[least]) {
				least = child
			}
		}
		if least == i {
			return top
		}
		a[i], a[least] = a[least], a[i]
		i = least
	}
}
