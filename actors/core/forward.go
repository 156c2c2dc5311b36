package core

import "github.com/dashfeed/dashfeed/messages"

// forwards are the records that were found outside their dashboard's home. What is on its way
// counts as here until it is stored, and the shard's checkpoints wait for it: whoever leads next
// begins at the newest of them.
type forwards struct {
	waiting []misrouted // in order
	bytes   int         // payloads of waiting
	count   int         // the first of waiting, which are under way
	busy    bool        // an append, or the catching up of a new leader, is under way
	// it is the catching up: records up to the place where it began may be missing
	behind bool
	last   messages.Position // of the last that was found
}

type misrouted struct {
	at   messages.Position
	size int
}

// Misroute takes a record that is not at home here. It reports whether the record has to be kept
// until it is forwarded.
func (s *Shard) Misroute(at messages.Position, size int) (keep bool) {
	f := &s.forwards
	f.last = at
	if s.leading {
		f.waiting = append(f.waiting, misrouted{at, size})
		f.bytes += size
	}
	return s.leading
}

// Waiting is how many records wait to be forwarded.
func (s *Shard) Waiting() int { return len(s.forwards.waiting) }

// congested reports whether so much waits to be forwarded that the shard must not read on.
func (s *Shard) congested() bool {
	return len(s.forwards.waiting) >= s.config.MaxForwards || s.forwards.bytes >= s.config.MaxForwardBytes
}

// forward begins to append the first of what waits.
func (s *Shard) forward() {
	f := &s.forwards
	if !s.leading || f.busy || len(f.waiting) == 0 {
		return
	}
	n, size := 0, 0
	for n < len(f.waiting) && n < s.config.ForwardsAtOnce && (n == 0 || size+f.waiting[n].size <= s.config.ForwardBytesOnce) {
		size += f.waiting[n].size
		n++
	}
	f.busy, f.count = true, n
	s.do(Effect{Kind: Forward, Count: n})
}

// catchUp is a new leader's first act: what lies between the newest checkpoint that counts and its
// own fold's position was not forwarded by itself and perhaps by nobody.
func (s *Shard) catchUp() {
	f := &s.forwards
	last := s.from // what was loaded may be newer than what counts for others
	if f.last.After(last) {
		last = f.last
	}
	f.busy, f.behind = true, true
	s.do(Effect{Kind: ForwardAgain, At: s.position, Last: last})
}

// Forwarded is the answer to Forward and ForwardAgain.
type Forwarded struct {
	Stopped bool // it is not done
	// where the newest checkpoint stands that counts for others, as ForwardAgain has found it; nil:
	// it was Forward
	Newest *messages.Position
}

// Forwarded says that what was to be forwarded is stored at home, or that it was stopped. drop is
// how many of those that wait are done.
func (s *Shard) Forwarded(now Now, m Forwarded) (drop int) {
	s.now = now
	f := &s.forwards
	n := f.count
	f.busy, f.behind, f.count = false, false, 0
	if !s.leading || m.Stopped {
		s.lead() // perhaps it leads again
		return 0
	}
	if m.Newest != nil && s.position.After(*m.Newest) {
		s.checkpoints.due = true
	}
	for _, one := range f.waiting[:n] {
		f.bytes -= one.size
	}
	if f.waiting = f.waiting[n:]; len(f.waiting) == 0 {
		f.waiting = nil
	}
	s.forward()
	s.commit()
	s.resume = true
	return n
}

// dropForwards is for who leads no more.
func (s *Shard) dropForwards() {
	f := &s.forwards
	f.waiting, f.bytes, f.count = nil, 0, 0
	s.do(Effect{Kind: DropForwards})
	if f.busy {
		s.do(Effect{Kind: StopForwards})
	}
}

// before reports whether records up to a position may have to be forwarded still.
func (f *forwards) before(at messages.Position) bool {
	return f.behind || len(f.waiting) > 0 && !f.waiting[0].at.After(at)
}
