package crashes

// Shard is one shard's marks. A nil one remembers nothing.
type Shard struct {
	file *File
	name [16]byte
}

// Shard gives the marks of a shard.
func (c *File) Shard(number int) *Shard {
	if c == nil {
		return nil
	}
	return &Shard{c, c.nameOf(number)}
}

// Suspect is what earlier processes ended at, and how often.
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

// At says which records the shard is at; what it was at before is done. Careful says that they are
// of the suspect, and that no other shard under suspicion is at any.
func (s *Shard) At(span Span, careful bool) {
	s.change(func(k *known) bool {
		changed := !k.busy || k.at != span || k.careful != careful
		k.busy, k.at, k.careful = true, span, careful
		return changed
	})
}

// Idle says that the shard is at no records.
func (s *Shard) Idle() {
	s.change(func(k *known) bool {
		was := k.busy
		k.busy = false
		return was
	})
}

// Clear says that the suspect is none: the shard has come behind it, or somebody takes the risk.
func (s *Shard) Clear() {
	s.change(func(k *known) bool {
		was := k.ends > 0
		k.ends, k.suspect = 0, Span{}
		return was
	})
}

// Forget drops what is remembered of the shard: this process has it no more.
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

// change changes what is known of the shard, and writes it where do says that it is another than
// before.
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
