// Package core is the state machine of a shard: what is read, folded, saved and forwarded, whether
// the shard is live, and whether it leads. It is told what happened, one input at a time, and Ready
// says what has to be done about it. It has no clock, goroutine, lock or I/O, as raft's RawNode has
// none: package actors does what it says.
//
//	s := core.New(config)
//	s.Load(now, position, true)
//	s.Name(now, core.Naming{Last: position, Asked: now.Time})
//	for _, effect := range s.Ready() { ... }
//
// Promises, each with a transcript in testdata:
//
//  1. Folded is a position up to which everything is folded, in whatever order batches come back.
//  2. The shard is live while it has folded all that the log named as its last record at a question
//     no older than Config.ProofGood.
//  3. One checkpoint is under way at a time. One of a leader is committed when every record up to
//     it that has to be forwarded is stored at its home.
//  4. One append of forwards is under way at a time, in the order of the log, and only while the
//     shard leads. A new leader first forwards what the one before may have left.
//  5. At most one tick a second is appended, by an owner that is live.
//  6. Stop ends with one last checkpoint, or with none, and nothing begins after End.
package core

import (
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// Config is what does not change while the shard lives.
type Config struct {
	CheckpointEvery time.Duration
	SavedAt         time.Duration // when the checkpoint before the first one counts as begun
	ProofGood       time.Duration // for so long the log's answer is a proof, from the question on
	Shared          bool          // other hosts read the checkpoints: only a live shard leads

	MaxForwards      int // that wait, before no more records are dispatched
	MaxForwardBytes  int // of their payloads
	ForwardsAtOnce   int // in one append
	ForwardBytesOnce int
}

// Now is what the world is like at an input.
type Now struct {
	Time    time.Duration // since some beginning
	Owned   bool          // the host acts for the shard
	Stuck   bool          // it has work and makes no progress
	Failed  bool          // it has failed: it does not become live any more
	Ended   bool          // folds may be broken off: none proves anything
	Unsaved int           // dashboards that the next checkpoint has to write
}

// Shard is the state machine. One goroutine at a time may use it.
type Shard struct {
	config  Config
	now     Now
	effects []Effect
	spare   []Effect
	resume  bool // Resume is the last of the effects

	loaded   bool
	stopping bool
	finished bool // the last checkpoint is begun, or there is none
	ended    bool

	from     messages.Position // of the checkpoint that was loaded
	position messages.Position // of the last record dispatched
	recordAt time.Duration     // when that was
	flights  []flight          // batches that are not folded up to, in order

	proof       proof
	checkpoints checkpoints
	forwards    forwards
	ticks       ticks
	leading     bool
}

// flight is a batch that dashboards have.
type flight struct {
	last   messages.Position // of its records
	folded bool
}

// New makes a shard that is not loaded yet.
func New(c Config) *Shard {
	s := &Shard{config: c}
	s.checkpoints.savedAt = c.SavedAt
	return s
}

// Load takes the position of the checkpoint that was loaded; found is false where there was none,
// and the log is folded from its beginning.
func (s *Shard) Load(now Now, at messages.Position, found bool) {
	s.now = now
	s.loaded = true
	s.from, s.position, s.proof.folded, s.recordAt = at, at, at, now.Time
	if found {
		s.checkpoints.base, s.checkpoints.found = at, true
	}
	s.lead()
}

// Dispatch says that the dashboards have a batch whose last record is at the position. unstamped
// says that the log gave a record of it no time.
func (s *Shard) Dispatch(now Now, last messages.Position, unstamped bool) {
	s.now = now
	s.position, s.recordAt = last, now.Time
	s.ticks.unstamped = s.ticks.unstamped || unstamped
	s.flights = append(s.flights, flight{last: last})
	s.forward()
}

// Fold says that the batch with that last record is folded. A batch that was dispatched later may
// be folded earlier. It reports whether Folded has moved.
func (s *Shard) Fold(now Now, last messages.Position) (moved bool) {
	s.now = now
	done := 0
	for i := range s.flights {
		f := &s.flights[i]
		f.folded = f.folded || f.last == last
		if f.folded && done == i {
			s.proof.folded = f.last
			done++
		}
	}
	s.flights = append(s.flights[:0], s.flights[done:]...)
	s.prove()
	return done > 0
}

// Stop ends the shard: with last after one more checkpoint, else without.
func (s *Shard) Stop(now Now, last bool) {
	s.now = now
	s.stopping = true
	s.do(Effect{Kind: GiveBack})
	if !last {
		s.finished = true
		s.retreat()
	}
	s.stop()
}

// stop goes on to stop: the checkpoint under way, a last one, the end.
func (s *Shard) stop() {
	if s.checkpoints.saving == nil && !s.finished {
		s.finished = true
		s.save()
	}
	if s.checkpoints.saving != nil || s.ended {
		return
	}
	s.retreat()
	s.ended = true
	s.do(Effect{Kind: End})
}

// retreat lets another host lead. Whoever asks again later finds this shard gone.
func (s *Shard) retreat() {
	s.now.Owned = false
	s.do(Effect{Kind: Disown})
	s.lead()
}

// lead makes the shard the one that writes checkpoints for all and forwards, or no more. It begins
// when the shard is live and no checkpoint is under way that was begun without waiting for
// forwards; where no other host reads the store, at once. It is called whenever one of these may
// have changed.
func (s *Shard) lead() {
	wanted := s.now.Owned && s.loaded && !s.now.Failed
	free := s.checkpoints.saving == nil && !s.forwards.busy && !s.stopping
	switch {
	case s.leading && !wanted:
		s.leading = false
		s.do(Effect{Kind: Unlead})
		s.dropForwards()
		s.commit()
		s.resume = true
	case !s.leading && wanted && free && (!s.config.Shared || s.Live()):
		s.leading = true
		s.do(Effect{Kind: Lead})
		s.catchUp()
	}
}

// MayDispatch reports whether batches may go to dashboards.
func (s *Shard) MayDispatch() bool { return !s.stopping && !s.congested() }

// Loaded reports whether the checkpoint is.
func (s *Shard) Loaded() bool { return s.loaded }

// Stopping reports whether Stop was called.
func (s *Shard) Stopping() bool { return s.stopping }

// Leading reports whether the shard writes the checkpoints that count, and forwards.
func (s *Shard) Leading() bool { return s.leading }

// Position is that of the last record dispatched.
func (s *Shard) Position() messages.Position { return s.position }

// Folded is a position up to which everything is folded.
func (s *Shard) Folded() messages.Position { return s.proof.folded }

// InFlight is how many batches are not folded up to.
func (s *Shard) InFlight() int { return len(s.flights) }

// Quiet is for how long no record has come.
func (s *Shard) Quiet(now time.Duration) time.Duration { return now - s.recordAt }
