package core

import "github.com/dashfeed/dashfeed/messages"

// forwards tracks the records that were found outside their home partition. A record that is being
// forwarded counts as waiting until it is stored, and the shard's checkpoints wait for it: the next
// leader begins at the newest of these checkpoints.
type forwards struct {
	waiting []misrouted // in log order
	bytes   int         // payload bytes of waiting
	count   int         // how many of the first waiting records are being appended
	busy    bool        // an append is under way, or a new leader is catching up
	// a new leader is catching up: records up to the position where it began may be missing at home
	behind bool
	last   messages.Position // position of the last misrouted record found
}

type misrouted struct {
	at   messages.Position
	size int
}

// Misroute takes a record whose home is another partition. It reports whether the caller must keep
// the record until it is forwarded.
func (s *Shard) Misroute(at messages.Position, size int) (keep bool) {
	f := &s.forwards
	f.last = at
	if s.leading {
		f.waiting = append(f.waiting, misrouted{at, size})
		f.bytes += size
	}
	return s.leading
}

// congested reports whether so many records wait to be forwarded that the shard must stop reading.
func (s *Shard) congested() bool {
	return len(s.forwards.waiting) >= s.config.MaxForwards || s.forwards.bytes >= s.config.MaxForwardBytes
}

// forward begins to append the first waiting records.
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

// catchUp is the first act of a new leader: this host did not forward the misrouted records between
// the newest checkpoint that counts and its own position, and perhaps no other host did.
func (s *Shard) catchUp() {
	f := &s.forwards
	last := s.from // the loaded checkpoint may be newer than the newest one that counts
	if f.last.After(last) {
		last = f.last
	}
	f.busy, f.behind = true, true
	s.do(Effect{Kind: ForwardAgain, At: s.position, Last: last})
}

// Forwarded is the answer to Forward and ForwardAgain: the records are stored at home, or the
// append was stopped.
type Forwarded struct {
	Stopped bool // the append was stopped before it was done
	// position of the newest checkpoint that counts for other hosts, as ForwardAgain found it; nil in
	// the answer to Forward
	Newest *messages.Position
}

func (m Forwarded) step(s *Shard) {
	f := &s.forwards
	n := f.count
	f.busy, f.behind, f.count = false, false, 0
	if !s.leading || m.Stopped {
		s.lead() // the shard may have become owner again meanwhile
		return
	}
	if m.Newest != nil && s.position.After(*m.Newest) {
		s.checkpoints.due = true
	}
	f.drop(s, n)
	s.forward()
	s.commit()
	s.resume = true
}

// drop drops the first n waiting records.
func (f *forwards) drop(s *Shard, n int) {
	for _, one := range f.waiting[:n] {
		f.bytes -= one.size
	}
	if f.waiting = f.waiting[n:]; len(f.waiting) == 0 {
		f.waiting = nil
	}
	if n > 0 {
		s.do(Effect{Kind: DropForwards, Count: n})
	}
}

// dropForwards drops the waiting records of a shard that stopped leading.
func (s *Shard) dropForwards() {
	f := &s.forwards
	f.drop(s, len(f.waiting))
	f.count = 0
	if f.busy {
		s.do(Effect{Kind: StopForwards})
	}
}

// before reports whether records up to the position may still have to be forwarded.
func (f *forwards) before(at messages.Position) bool {
	return f.behind || len(f.waiting) > 0 && !f.waiting[0].at.After(at)
}
