package cells

// Each calls yield with the handles of the panel's cells that changed after version v, the one that
// changed last first, until it returns false. The set may not change meanwhile. A fold writes the
// rows of touched cells so, only when somebody reads them.
func (s *Set) Each(panel uint16, v uint64, yield func(Handle) bool) {
	if int(panel) >= len(s.panels) {
		return
	}
	for i := s.panels[panel].tail; i != none && s.slots[i].Changed > v; i = s.slots[i].prev {
		if !yield(Handle(i)) {
			return
		}
	}
}

// Renumber gives panels other numbers: to[i] is the new number of panel i, no two alike, or -1 for
// a panel that has no cells. Handles, cell numbers and stamps stay. Only a new epoch may do so:
// call Forget too.
func (s *Set) Renumber(to []int) {
	old := s.panels
	s.panels = nil
	for i, l := range old {
		if l.tail == none {
			continue
		}
		for len(s.panels) <= to[i] {
			s.panels = append(s.panels, list{none, none})
		}
		s.panels[to[i]] = l
		for j := l.tail; j != none; j = s.slots[j].prev {
			s.slots[j].Panel = uint16(to[i])
		}
	}
}
