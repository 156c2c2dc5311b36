package core

import (
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// mostNamed is how many of the log's answers a shard keeps that it has not come to: older ones are
// no proof any more.
const mostNamed = 8

// proof is how the shard knows that it is up to date.
type proof struct {
	opened bool // the log is open behind the checkpoint
	folded messages.Position
	empty  Empty
	named  []Naming // the log's answers that it has not folded up to, in order
	live   bool     // it was once

	proven bool          // asked is a proof, perhaps an old one
	asked  time.Duration // when the log was asked for the last position that is folded up to
}

// Naming is the log's word for where its last record was, at a time.
type Naming struct {
	Last  messages.Position
	Asked time.Duration
}

// Empty says that the log has no record between these positions; the first is that of a batch.
type Empty struct{ After, UpTo messages.Position }

// Open says that the log has what lies behind the loaded position, as far as can be told before a
// record was read.
func (s *Shard) Open(now Now) {
	s.now = now
	s.proof.opened = true
	s.prove()
}

// Pass takes the log's word that it has no record between two positions.
func (s *Shard) Pass(now Now, e Empty) {
	s.now = now
	s.proof.empty = e
	s.prove()
}

// Name takes the log's answer to the question where its last record is.
func (s *Shard) Name(now Now, n Naming) {
	s.now = now
	p := &s.proof
	if len(p.named) == mostNamed {
		p.named = append(p.named[:0], p.named[1:]...)
	}
	p.named = append(p.named, n)
	s.prove()
}

// prove looks which of the log's answers the shard has folded up to, and becomes live with the
// first that is fresh. Of a log that was set back everything would be folded, so that it must be
// open; of a shard that ends folds may have been broken off.
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

// fresh reports whether the shard has folded all that the log had a moment ago.
func (s *Shard) fresh() bool {
	return s.proof.proven && s.now.Time-s.proof.asked <= s.config.ProofGood
}

// Live reports whether the shard claims to be live, as of the last input.
func (s *Shard) Live() bool {
	return s.proof.live && !s.now.Failed && !s.now.Stuck && s.fresh()
}

// WasLive reports whether it ever was.
func (s *Shard) WasLive() bool { return s.proof.live }

// Proof is when the log was asked for the last position that is folded up to; ok is false where
// there was none yet.
func (s *Shard) Proof() (asked time.Duration, ok bool) { return s.proof.asked, s.proof.proven }
