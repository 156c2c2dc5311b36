package core

import (
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// checkpoints is what the shard knows of its own.
type checkpoints struct {
	saving  *saving       // the one under way
	savedAt time.Duration // when the last one began
	// one is due though no record may have come: a hole was accepted, or others have an older one
	due   bool
	found bool              // there is one
	base  messages.Position // of the newest one
}

// saving is a checkpoint under way.
type saving struct {
	at        messages.Position
	due       bool // it was due whatever had come
	committed bool // Commit was said
}

// Skip says that the shard goes on behind records that are lost: a checkpoint is due at once.
func (s *Shard) Skip() {
	s.checkpoints.due = true
	s.checkpoints.savedAt = -s.config.CheckpointEvery
}

// Crowd says that dashboards have to be saved before they can be put to sleep, and records wait for
// that.
func (s *Shard) Crowd(now Now) {
	s.now = now
	s.save()
}

// save begins a checkpoint if anything changed and none is under way.
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

// commit lets the checkpoint under way become one that counts: every record up to it that had to be
// forwarded is stored.
func (s *Shard) commit() {
	c := s.checkpoints.saving
	if c == nil || c.committed || s.leading && s.forwards.before(c.at) {
		return
	}
	c.committed = true
	s.do(Effect{Kind: Commit})
}

// Saved says that the checkpoint under way is written, or has failed: then the next one, which
// comes in time, writes what it should have.
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
