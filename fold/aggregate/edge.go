package aggregate

import (
	"cmp"
	"strings"
)

// edge returns the base of the first or last sample of a window, by (time, order). It has three
// words: value, time and order. If ties are broken by id, the order is (id, order) and the id is
// the base's object.
func edge(name string, wanted int, o Options) Base {
	if o.TieID {
		return edgeByID(name, wanted)
	}
	closer := func(time int64, order uint64, w []uint64) bool {
		c := cmp.Compare(time, int64(w[1]))
		if c == 0 {
			c = cmp.Compare(order, w[2])
		}
		return c == wanted
	}
	return Base{
		Name: name, Words: 3,
		Add: func(n uint64, w []uint64, value float64, time int64, order uint64) {
			_ = w[2]
			if n == 0 || closer(time, order, w) {
				w[0], w[1], w[2] = putFloat(value), uint64(time), order
			}
		},
		Merge: func(_ uint64, w []uint64, _ uint64, v []uint64) {
			if closer(int64(v[1]), v[2], w) {
				copy(w, v)
			}
		},
	}
}

func edgeByID(name string, wanted int) Base {
	closer := func(time int64, id string, order uint64, w []uint64, o Object) bool {
		c := cmp.Compare(time, int64(w[1]))
		if c == 0 {
			c = strings.Compare(id, string(o.(Text)))
		}
		if c == 0 {
			c = cmp.Compare(order, w[2])
		}
		return c == wanted
	}
	return Base{Name: name, Words: 3, Object: &ObjectBase{
		Required: true,
		Add: func(n uint64, w []uint64, o *Object, s Sample) bool {
			if n == 0 || closer(s.Time, s.ID, s.Order, w, *o) {
				w[0], w[1], w[2] = putFloat(s.Value), uint64(s.Time), s.Order
				*o = Text(strings.Clone(s.ID))
			}
			return false
		},
		Merge: func(_ uint64, w []uint64, o *Object, _ uint64, v []uint64, p Object) {
			if closer(int64(v[1]), string(p.(Text)), v[2], w, *o) {
				copy(w, v)
				*o = p
			}
		},
		Read: readText,
	}}
}
