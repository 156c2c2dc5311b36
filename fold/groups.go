package fold

import (
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/messages/cells"
)

// groups holds a panel's keys. References count from 1; 0 means none. Few keys are searched
// linearly; an index is built only for more.
type groups struct {
	list  []group
	index *groupIndex // nil up to indexBeyond keys
	live  uint32
	free  uint32 // first free slot, linked by next
}

// indexBeyond is the number of keys up to which a linear search is faster than hashing.
const indexBeyond = 8

// group is one key with what the panel holds for it.
type group struct {
	key  cells.Group
	next uint32 // its entry with the latest start, or its session with the latest end
	pane uint32 // hopping: the latest pane
	refs uint32 // entries, sessions and panes that refer to it; the group is removed with the last
	hash uint32
}

// find returns the group of that key, or 0.
func (g *groups) find(key []byte) uint32 {
	if g.index != nil {
		return g.index.find(g.list, key, uint32(xxh3.Hash(key)))
	}
	for i := range g.list {
		if e := &g.list[i]; e.refs > 0 && string(e.key) == string(key) {
			return uint32(i + 1)
		}
	}
	return 0
}

func (g *groups) at(i uint32) *group { return &g.list[i-1] }

// add makes a group for a key that find does not know. It keeps the string.
func (g *groups) add(key cells.Group) uint32 {
	g.live++
	e := group{key: key, hash: uint32(xxh3.HashString(string(key)))}
	i := g.free
	if i != 0 {
		g.free = g.at(i).next
		*g.at(i) = e
	} else {
		g.list = appendTight(g.list, e)
		i = uint32(len(g.list))
	}
	switch {
	case g.index != nil:
		g.index.add(g.list, i)
	case len(g.list) > indexBeyond:
		g.index = &groupIndex{}
		g.index.rebuild(g.list, i)
	}
	return i
}

// release drops one reference; the group is removed with the last.
func (g *groups) release(i uint32) {
	e := g.at(i)
	if e.refs--; e.refs > 0 {
		return
	}
	if g.index != nil {
		g.index.remove(g.list, i)
	}
	*e = group{next: g.free}
	g.free = i
	g.live--
}

// groupIndex is an open-addressed table of references, at most half full.
type groupIndex struct {
	slots []uint32
	used  int
}

func (x *groupIndex) find(list []group, key []byte, hash uint32) uint32 {
	mask := uint32(len(x.slots) - 1)
	for s := hash & mask; ; s = (s + 1) & mask {
		i := x.slots[s]
		if i == 0 {
			return 0
		}
		if e := &list[i-1]; e.hash == hash && string(e.key) == string(key) {
			return i
		}
	}
}

func (x *groupIndex) add(list []group, i uint32) {
	if 2*(x.used+1) > len(x.slots) {
		x.rebuild(list, i)
		return
	}
	x.place(list, i)
}

// rebuild makes a table, twice as large as needed, of the groups in use and the one just added.
func (x *groupIndex) rebuild(list []group, added uint32) {
	size := 4 * indexBeyond
	for size < 4*len(list) {
		size *= 2
	}
	x.slots, x.used = make([]uint32, size), 0
	for i := range list {
		if list[i].refs > 0 || uint32(i+1) == added {
			x.place(list, uint32(i+1))
		}
	}
}

func (x *groupIndex) place(list []group, i uint32) {
	mask := uint32(len(x.slots) - 1)
	s := list[i-1].hash & mask
	for x.slots[s] != 0 {
		s = (s + 1) & mask
	}
	x.slots[s] = i
	x.used++
}

// remove closes the gap that the entry leaves, so that no search ends early.
func (x *groupIndex) remove(list []group, i uint32) {
	mask := uint32(len(x.slots) - 1)
	hole := list[i-1].hash & mask
	for x.slots[hole] != i {
		hole = (hole + 1) & mask
	}
	for s := (hole + 1) & mask; x.slots[s] != 0; s = (s + 1) & mask {
		ideal := list[x.slots[s]-1].hash & mask
		if (s-ideal)&mask >= (s-hole)&mask {
			x.slots[hole] = x.slots[s]
			hole = s
		}
	}
	x.slots[hole] = 0
	x.used--
}

// keyFor returns the string to keep for a key: the one of an earlier panel with the same group_by,
// or a copy.
func (d *Dashboard) keyFor(panel int, key []byte) cells.Group {
	if j := d.program.panels[panel].sharesKeys; j >= 0 {
		g := &d.panels[j].groups
		if i := g.find(key); i != 0 {
			return g.at(i).key
		}
	}
	return cells.Group(strings.Clone(string(key)))
}

// appendTight is append that grows small slices in small steps: there are many dashboards, and most
// are small.
func appendTight[T any](s []T, x T) []T {
	if len(s) == cap(s) && cap(s) < 64 {
		grown := make([]T, len(s), len(s)+max(2, len(s)/4))
		copy(grown, s)
		s = grown
	}
	return append(s, x)
}
