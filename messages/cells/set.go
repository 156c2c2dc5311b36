package cells

import (
	"cmp"
	"fmt"
	"slices"
)

// MinTombstones is the number of tombstones that a set keeps even if it has fewer live cells.
const MinTombstones = 1024

// Handle finds a live cell of one Set in O(1). It is valid until the cell is removed.
type Handle uint32

const none = ^uint32(0)

// Set is the versioned set of cells. The zero Set is empty, at version 0.
type Set struct {
	version    uint64
	floor      uint64
	next       uint32 // number of the next new cell
	live       int
	groupBytes int // total length of the live cells' groups
	slots      []slot
	free       uint32 // first free slot + 1, linked by next; 0 if no slot is free
	panels     []list
	tombstones []Tombstone // in order of removal
	byNumber   map[uint32]Handle
}

// slot is a cell with its neighbours in its panel's order of change.
type slot struct {
	Cell
	prev, next uint32
}

// list is the list of a panel's cells in order of change, last changed at the tail.
type list struct{ head, tail uint32 }

// Version returns the last version that the set has seen.
func (s *Set) Version() uint64 { return s.version }

// Floor returns the version below which Since answers only snapshots.
func (s *Set) Floor() uint64 { return s.floor }

// Len returns the number of live cells.
func (s *Set) Len() int { return s.live }

// GroupBytes returns the total length of the live cells' groups.
func (s *Set) GroupBytes() int { return s.groupBytes }

// NextNumber returns the number that the next new cell gets: how many have been assigned.
func (s *Set) NextNumber() uint32 { return s.next }

// Advance records a step that changed no cell.
func (s *Set) Advance(v uint64) {
	if v > s.version {
		s.version = v
	}
}

// Put adds c as a new cell at version v. It sets the cell's number and stamps.
func (s *Set) Put(v uint64, c Cell) Handle {
	c.Number, c.Created, c.Changed = s.next, v, v
	s.next++
	s.Advance(v)
	return s.insert(c)
}

// At returns the cell of h to read. The owner may set Row, End and Revision, and then calls Touch.
func (s *Set) At(h Handle) *Cell { return &s.slots[h].Cell }

// Touch stamps the cell with version v.
func (s *Set) Touch(h Handle, v uint64) {
	s.Advance(v)
	c := &s.slots[h]
	if c.Changed == v {
		return
	}
	c.Changed = v
	if s.panels[c.Panel].tail != uint32(h) {
		s.unlink(uint32(h))
		s.link(uint32(h))
	}
}

// Remove removes the cell at version v and leaves a tombstone.
func (s *Set) Remove(h Handle, v uint64) {
	s.Advance(v)
	c := s.slots[h].Cell
	s.drop(h)
	s.addTombstone(Tombstone{c.Number, c.Panel, v})
	s.trimTombstones()
}

// Since returns what changed after version v, for any holder at a version in [v, Version()) to
// apply. A snapshot (v 0) carries every tombstone too, so that its holder can answer everyone whom
// the sender could. ok is false if the set no longer has the tombstones (v is below the floor) or v
// is ahead of the set: then only Since(0) helps.
func (s *Set) Since(v uint64) (u Update, ok bool) {
	if v > s.version || v != 0 && v < s.floor {
		return Update{}, false
	}
	u = Update{From: v, To: s.version, Floor: s.floor}
	for _, l := range s.panels {
		for i := l.tail; i != none && s.slots[i].Changed > v; i = s.slots[i].prev {
			u.Cells = append(u.Cells, s.slots[i].Cell)
		}
	}
	slices.SortFunc(u.Cells, byCellNumber)
	first := len(s.tombstones)
	for first > 0 && s.tombstones[first-1].Removed > v {
		first--
	}
	u.Removed = slices.Clone(s.tombstones[first:])
	return u, true
}

// Apply moves a holder by u. It ignores an update that is not new. An update that starts after the
// holder's version leaves a gap and is an error. A snapshot replaces the set by difference: a cell
// that is gone without a tombstone gets one at u.To. The floor stays, unless the sender's floor
// lies beyond the holder's version: the holder never heard of cells that were created and removed
// in between, so it cannot answer anyone who may have seen them.
func (s *Set) Apply(u Update) error {
	if u.From > s.version {
		return fmt.Errorf("update from %d to %d leaves a gap: the holder is at %d", u.From, u.To, s.version)
	}
	if u.To <= s.version && s.version != 0 {
		return nil
	}
	if s.byNumber == nil {
		s.index()
	}
	for _, t := range u.Removed {
		if t.Removed > s.version {
			s.removeByNumber(t)
		}
	}
	if u.From == 0 {
		s.removeMissing(u)
		if s.version == 0 || u.Floor > s.version {
			s.floor = u.Floor
		}
	}
	for _, c := range byChange(u.Cells) {
		if h, ok := s.byNumber[c.Number]; ok {
			s.drop(h)
		}
		s.insert(c)
		s.next = max(s.next, c.Number+1)
	}
	s.version = u.To
	s.trimTombstones()
	return nil
}

// Cell returns the live cell with that number.
func (s *Set) Cell(number uint32) (*Cell, bool) {
	h, ok := s.Find(number)
	if !ok {
		return nil, false
	}
	return s.At(h), true
}

// Find returns the handle of the live cell with that number.
func (s *Set) Find(number uint32) (Handle, bool) {
	if s.byNumber == nil {
		s.index()
	}
	h, ok := s.byNumber[number]
	return h, ok
}

// Cells returns a copy of all live cells, ordered by number.
func (s *Set) Cells() []Cell {
	u, _ := s.Since(0)
	return u.Cells
}

// Reset empties the set, keeps its version and restarts cell numbers at 0. Call it for a new epoch
// that keeps no cell; no earlier version can be answered afterwards.
func (s *Set) Reset() {
	*s = Set{version: s.version, floor: s.version}
}

// Forget drops every tombstone, so that no version before the set's can be answered. Call it when a
// new epoch begins.
func (s *Set) Forget() {
	s.tombstones = nil
	s.floor = s.version
}

// removeByNumber removes the holder's cell, if it has it, and keeps the tombstone either way: a
// client of another holder may have seen a cell that was created and removed between two updates of
// this one.
func (s *Set) removeByNumber(t Tombstone) {
	if h, ok := s.byNumber[t.Number]; ok {
		s.drop(h)
	}
	s.addTombstone(t)
}

func (s *Set) removeMissing(u Update) {
	if s.live == 0 {
		return
	}
	kept := make(map[uint32]bool, len(u.Cells))
	for _, c := range u.Cells {
		kept[c.Number] = true
	}
	for _, c := range s.Cells() {
		if !kept[c.Number] {
			s.removeByNumber(Tombstone{c.Number, c.Panel, u.To})
		}
	}
}

// index builds the lookup by number. A fold never needs it.
func (s *Set) index() {
	s.byNumber = make(map[uint32]Handle, s.live)
	for _, l := range s.panels {
		for i := l.tail; i != none; i = s.slots[i].prev {
			s.byNumber[s.slots[i].Number] = Handle(i)
		}
	}
}

func (s *Set) insert(c Cell) Handle {
	var i uint32
	if s.free != 0 {
		i = s.free - 1
		s.free = s.slots[i].next
	} else {
		i = uint32(len(s.slots))
		// Most sets are small and there are many of them, so they grow in small steps.
		if i == uint32(cap(s.slots)) && i < 64 {
			s.slots = append(make([]slot, 0, i+max(2, i/4)), s.slots...)
		}
		s.slots = append(s.slots, slot{})
	}
	for int(c.Panel) >= len(s.panels) {
		s.panels = append(s.panels, list{none, none})
	}
	s.slots[i].Cell = c
	s.link(i)
	s.live++
	s.groupBytes += len(c.Group)
	if s.byNumber != nil {
		s.byNumber[c.Number] = Handle(i)
	}
	return Handle(i)
}

func (s *Set) drop(h Handle) {
	s.unlink(uint32(h))
	if s.byNumber != nil {
		delete(s.byNumber, s.slots[h].Number)
	}
	s.groupBytes -= len(s.slots[h].Group)
	s.slots[h] = slot{next: s.free}
	s.free = uint32(h) + 1
	s.live--
}

func (s *Set) link(i uint32) {
	l := &s.panels[s.slots[i].Panel]
	s.slots[i].prev, s.slots[i].next = l.tail, none
	if l.tail == none {
		l.head = i
	} else {
		s.slots[l.tail].next = i
	}
	l.tail = i
}

func (s *Set) unlink(i uint32) {
	c := &s.slots[i]
	l := &s.panels[c.Panel]
	if c.prev == none {
		l.head = c.next
	} else {
		s.slots[c.prev].next = c.next
	}
	if c.next == none {
		l.tail = c.prev
	} else {
		s.slots[c.next].prev = c.prev
	}
}

func (s *Set) addTombstone(t Tombstone) { s.tombstones = append(s.tombstones, t) }

// trimTombstones drops the oldest tombstones beyond the bound. They are cut off in front; append
// frees their memory when it next grows the slice.
func (s *Set) trimTombstones() {
	extra := len(s.tombstones) - max(MinTombstones, s.live)
	if extra <= 0 {
		return
	}
	s.floor = max(s.floor, s.tombstones[extra-1].Removed)
	s.tombstones = s.tombstones[extra:]
}

func byCellNumber(a, b Cell) int { return cmp.Compare(a.Number, b.Number) }

// byChange returns cs in order of change. It never changes the caller's slice.
func byChange(cs []Cell) []Cell {
	order := func(a, b Cell) int {
		if c := cmp.Compare(a.Changed, b.Changed); c != 0 {
			return c
		}
		return byCellNumber(a, b)
	}
	if slices.IsSortedFunc(cs, order) {
		return cs
	}
	cs = slices.Clone(cs)
	slices.SortFunc(cs, order)
	return cs
}
