package crashes

// Shard holds one shard's marks. A nil Shard records nothing.
type Shard struct {
	file *File
	name [16]byte
}

// Shard returns the marks of a shard.
func (c *File) Shard(number int) *Shard {
	if c == nil {
		return nil
	}
	return &Shard{c, c.nameOf(number)}
}

// Suspect returns the records at which earlier processes ended, and how often they did.
func (s *Shard) Suspect() (span Span, ends int) {
	if s == nil {
		return Span{}, 0
	}
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	i, ok := s.file.blocks[s.name]
	if !ok {
		return Span{}, 0
	}
	k := &s.file.all[i]
	return k.suspect, int(k.ends)
}

// At says which records the shard is working on. Earlier records are done. careful says that the
// records are in the suspected span, and that no other suspected shard is working on any.
func (s *Shard) At(span Span, careful bool) {
	s.change(func(k *known) bool {
		changed := !k.busy || k.at != span || k.careful != careful
		k.busy, k.at, k.careful = true, span, careful
		return changed
	})
}

// Idle says that the shard is not working on records.
func (s *Shard) Idle() {
	s.change(func(k *known) bool {
		was := k.busy
		k.busy = false
		return was
	})
}

// Clear drops the suspicion: the shard has folded the span, or an operator takes the risk.
func (s *Shard) Clear() {
	s.change(func(k *known) bool {
		was := k.ends > 0
		k.ends, k.suspect = 0, Span{}
		return was
	})
}

// Forget drops the marks of a shard that this process does not hold any more.
func (s *Shard) Forget() {
	if s == nil {
		return
	}
	c := s.file
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.blocks[s.name]
	if !ok {
		return
	}
	delete(c.blocks, s.name)
	c.all[i] = known{}
	c.free = append(c.free, i)
	c.write(i)
}

// change applies do to what is known of the shard, and writes the result if do reports a change.
func (s *Shard) change(do func(k *known) (changed bool)) {
	if s == nil {
		return
	}
	c := s.file
	c.mu.Lock()
	defer c.mu.Unlock()
	if i, ok := c.block(s.name); ok && do(&c.all[i]) {
		c.write(i)
	}
}
