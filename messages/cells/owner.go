package cells

// Each calls yield with the handles of the panel's cells that changed after version v, last changed
// first, until yield returns false. The set must not change meanwhile. A fold uses it to write the
// rows of touched cells only when somebody reads them.
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

// Renumber gives panels new numbers: to[i] is the new number of panel i, unique, or -1 for a panel
// without cells. Handles, cell numbers and stamps stay. Call it only together with Forget, when a
// new epoch begins.
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
