// Package core implements the state machine of a shard. It decides what to read, fold, save and
// forward, whether the shard is live, and whether it leads. The caller reports what happened, one
// input at a time, and performs the effects that Ready returns. Like raft's RawNode, the state
// machine has no clock, goroutine, lock or I/O. Package actors drives it.
//
//	s := core.New(config)
//	s.Load(now, position, true)
//	s.Step(now, core.Naming{Last: position, Asked: now.Time})
//	for _, effect := range s.Ready() { ... }
//
// Promises, each with a transcript in testdata:
//
//  1. Everything up to Folded is folded, in whatever order batches come back.
//  2. The shard is live while it has folded everything up to the log's last record, as the log
//     named it in answer to a question no older than Config.ProofGood.
//  3. At most one checkpoint is under way. A leader's checkpoint is committed once every record up
//     to its position that has to be forwarded is stored at its home.
//  4. At most one append of forwards is under way, in log order, and only while the shard leads. A
//     new leader first forwards what its predecessor may have left.
//  5. An owner that is live appends at most one tick a second. Nobody else appends any.
//  6. A reading is performed once the records up to its position are dispatched, in order.
//  7. Stop ends with one last checkpoint, or with none, and nothing begins after End.
package core

import (
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// Config holds the settings of a shard. They do not change.
type Config struct {
	CheckpointEvery time.Duration
	SavedAt         time.Duration // when the checkpoint before the first one counts as begun
	// how long an answer of the log is a proof, counted from the question
	ProofGood time.Duration
	Shared    bool // other hosts read the checkpoints, so only a live shard leads

	MaxForwards      int // waiting forwards at which dispatching stops
	MaxForwardBytes  int // payload bytes of waiting forwards at which dispatching stops
	ForwardsAtOnce   int // most records in one append of forwards
	ForwardBytesOnce int

	MaxReadings int // most readings that wait for a position
}

// Now describes the shard's surroundings at the time of an input.
type Now struct {
	Time    time.Duration // time since a fixed start
	Owned   bool          // the host acts for the shard
	Stuck   bool          // the shard has work and makes no progress
	Failed  bool          // the shard has failed and does not become live any more
	Ended   bool          // the shard has ended: folds may have been cut short and prove nothing
	Unsaved int           // how many dashboards the next checkpoint has to write
}

// Shard is the state machine. It is not safe for concurrent use.
type Shard struct {
	config  Config
	now     Now
	effects []Effect
	spare   []Effect
	resume  bool // Ready adds Resume as the last effect

	loaded   bool
	stopping bool
	finished bool // the last checkpoint has begun, or there will be none
	ended    bool

	from     messages.Position // position of the checkpoint that was loaded
	position messages.Position // position of the last record dispatched
	recordAt time.Duration     // when the last record was dispatched
	flights  []flight          // batches at or behind the first one that is not folded, in order

	proof       proof
	checkpoints checkpoints
	forwards    forwards
	ticks       ticks
	waits       waits      // log times that the windows of sleeping dashboards wait for
	readings    []*Reading // readings that wait for a position
	leading     bool
}

// flight is a batch that was handed to the dashboards.
type flight struct {
	last   messages.Position // position of its last record
	folded bool
}

// New returns a shard that is not loaded yet.
func New(c Config) *Shard {
	s := &Shard{config: c}
	s.checkpoints.savedAt = c.SavedAt
	return s
}

// Input is something that happened: Opened, Empty, Naming, Crowded, Forwarded, *Reading, Forget,
// Ticked or Stop.
type Input interface{ step(s *Shard) }

// Step takes an input.
func (s *Shard) Step(now Now, in Input) {
	s.now = now
	in.step(s)
}

// Load takes the position of the checkpoint that was loaded. If found is false there is no
// checkpoint, and the log is folded from its beginning.
func (s *Shard) Load(now Now, at messages.Position, found bool) {
	s.now = now
	s.loaded = true
	s.from, s.position, s.proof.folded, s.recordAt = at, at, at, now.Time
	if found {
		s.checkpoints.base, s.checkpoints.found = at, true
	}
	s.lead()
}

// Dispatch reports that the dashboards have a batch whose last record is at last. unstamped says
// that the log gave no time to a record of the batch.
func (s *Shard) Dispatch(now Now, last messages.Position, unstamped bool) {
	s.now = now
	s.position, s.recordAt = last, now.Time
	s.ticks.unstamped = s.ticks.unstamped || unstamped
	s.flights = append(s.flights, flight{last: last})
	s.forward()
	s.readReached()
}

// Fold reports that the batch whose last record is at last is folded. Batches may be folded in any
// order. It returns whether Folded has moved.
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

// Stop ends the shard, after one more checkpoint if Last is true.
type Stop struct{ Last bool }

func (m Stop) step(s *Shard) {
	s.stopping = true
	s.do(Effect{Kind: GiveBack})
	if !m.Last {
		s.finished = true
		s.retreat()
	}
	s.stop()
}

// stop advances the end as far as possible: it waits for the checkpoint under way, begins the last
// one, and ends the shard.
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

// retreat lets another host lead. Inputs that come later find that the shard does not lead.
func (s *Shard) retreat() {
	s.now.Owned = false
	s.do(Effect{Kind: Disown})
	s.lead()
}

// lead makes the shard begin or stop leading. A leader writes the checkpoints that count for all
// hosts, and forwards. The shard begins to lead when it is live and no checkpoint is under way that
// began without waiting for forwards. If no other host reads the store, it need not be live. Call
// lead whenever one of these conditions may have changed.
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

// MayDispatch reports whether batches may be handed to dashboards.
func (s *Shard) MayDispatch() bool { return !s.stopping && !s.congested() }

// Loaded reports whether the checkpoint is loaded.
func (s *Shard) Loaded() bool { return s.loaded }

// Stopping reports whether the shard was told to stop.
func (s *Shard) Stopping() bool { return s.stopping }

// Leading reports whether the shard forwards and writes the checkpoints that count.
func (s *Shard) Leading() bool { return s.leading }

// Position returns the position of the last record dispatched.
func (s *Shard) Position() messages.Position { return s.position }

// Folded returns a position up to which everything is folded.
func (s *Shard) Folded() messages.Position { return s.proof.folded }

// InFlight returns the number of batches at or behind the first one that is not folded.
func (s *Shard) InFlight() int { return len(s.flights) }

// Quiet returns how long ago the last record came.
func (s *Shard) Quiet(now time.Duration) time.Duration { return now - s.recordAt }
