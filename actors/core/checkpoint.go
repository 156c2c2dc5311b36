package core

import (
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// checkpoints holds what the shard knows of its checkpoints.
type checkpoints struct {
	saving  *saving       // the checkpoint under way; nil: none
	savedAt time.Duration // when the last checkpoint began
	// a checkpoint is due even if no record came: a hole was accepted, or the newest checkpoint that
	// counts for other hosts is older
	due   bool
	found bool              // a checkpoint exists
	base  messages.Position // position of the newest checkpoint
}

// saving is a checkpoint under way.
type saving struct {
	at        messages.Position
	due       bool // checkpoints.due was set when it began
	committed bool // the effect Commit was given
}

// Skip tells the shard that it continues behind records that are lost. A checkpoint is due at once.
func (s *Shard) Skip() {
	s.checkpoints.due = true
	s.checkpoints.savedAt = -s.config.CheckpointEvery
}

// Crowded states that dashboards must be saved before they can be put to sleep, and that records
// wait for it.
type Crowded struct{}

func (Crowded) step(s *Shard) { s.save() }

// save begins a checkpoint if anything changed and no other checkpoint is under way.
func (s *Shard) save() {
	c := &s.checkpoints
	changed := c.due || !c.found && !s.position.IsZero() || c.found && s.position != c.base
	if !s.loaded || c.saving != nil || !changed && s.now.Unsaved == 0 {
		return
	}
	c.saving, c.savedAt = &saving{at: s.position, due: c.due}, s.now.Time
	c.due = false
	s.do(Effect{Kind: Save, At: s.position, Leading: s.leading})
	s.commit()
}

// commit lets the checkpoint under way become valid once every record up to its position that had
// to be forwarded is stored.
func (s *Shard) commit() {
	c := s.checkpoints.saving
	if c == nil || c.committed || s.leading && s.forwards.before(c.at) {
		return
	}
	c.committed = true
	s.do(Effect{Kind: Commit})
}

// Saved reports the end of the checkpoint under way. If it failed, the next regular checkpoint
// writes what this one should have written.
func (s *Shard) Saved(now Now, ok bool) {
	s.now = now
	c := &s.checkpoints
	done := c.saving
	c.saving = nil
	c.due = c.due || done.due && !ok
	if ok {
		c.base, c.found = done.at, true
	}
	s.lead()
	if s.stopping {
		s.stop()
		return
	}
	s.resume = true
}
