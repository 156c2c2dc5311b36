package core

import (
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// mostNamed bounds how many answers of the log a shard keeps that it has not reached yet. Older
// answers are too old to prove anything.
const mostNamed = 8

// proof tracks whether the shard is up to date.
type proof struct {
	opened bool // the log is open behind the checkpoint
	folded messages.Position
	empty  Empty
	named  []Naming // the log's answers that the shard has not folded up to, in order
	live   bool     // the shard has been live at least once

	proven bool          // asked holds a proof, perhaps an old one
	asked  time.Duration // when the log was asked for the last position that is now folded
}

// Naming is the log's answer to the question at Asked: its last record was at Last.
type Naming struct {
	Last  messages.Position
	Asked time.Duration
}

// Empty states that the log has no record after After up to UpTo. After is the last position of a
// batch.
type Empty struct{ After, UpTo messages.Position }

// Opened states that the log holds what follows the loaded position, as far as this can be known
// before a record is read.
type Opened struct{}

func (Opened) step(s *Shard) {
	s.proof.opened = true
	s.prove()
}

func (e Empty) step(s *Shard) {
	s.proof.empty = e
	s.prove()
}

func (n Naming) step(s *Shard) {
	p := &s.proof
	if len(p.named) == mostNamed {
		p.named = append(p.named[:0], p.named[1:]...)
	}
	p.named = append(p.named, n)
	s.prove()
}

// prove finds the last of the log's answers that the shard has folded up to. The shard becomes live
// with the first such answer that is fresh. The log must be open first: if it was set back, every
// answer would seem to be folded. A shard that has ended proves nothing, because its folds may have
// been cut short.
func (s *Shard) prove() {
	p := &s.proof
	if !p.opened || s.now.Ended {
		return
	}
	upTo := p.folded
	if !p.empty.After.After(p.folded) && p.empty.UpTo.After(p.folded) {
		upTo = p.empty.UpTo
	}
	reached := 0
	for reached < len(p.named) && !p.named[reached].Last.After(upTo) {
		reached++
	}
	if reached == 0 {
		return
	}
	p.proven, p.asked = true, p.named[reached-1].Asked
	p.named = append(p.named[:0], p.named[reached:]...)
	if !p.live && !s.now.Failed && s.fresh() {
		p.live = true
		s.do(Effect{Kind: Live})
		s.lead()
	}
}

// fresh reports whether the shard has folded everything that the log had at most ProofGood ago.
func (s *Shard) fresh() bool {
	return s.proof.proven && s.now.Time-s.proof.asked <= s.config.ProofGood
}

// Live reports whether the shard claims to be live, as of the last input.
func (s *Shard) Live() bool {
	return s.proof.live && !s.now.Failed && !s.now.Stuck && s.fresh()
}

// WasLive reports whether the shard has been live at least once.
func (s *Shard) WasLive() bool { return s.proof.live }

// Proof returns when the log was asked for the last position that is now folded. ok is false if
// there is no proof yet.
func (s *Shard) Proof() (asked time.Duration, ok bool) { return s.proof.asked, s.proof.proven }
