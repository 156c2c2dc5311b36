package core

import (
	"fmt"

	"github.com/dashfeed/dashfeed/messages"
)

// Effect is an action that the shard asks its caller to perform. Perform the effects of one Ready
// call in order.
type Effect struct {
	Kind    Kind
	Count   int               // Forward, DropForwards: number of waiting records
	At      messages.Position // Save: position of the checkpoint; ForwardAgain: where to end
	Last    messages.Position // ForwardAgain: no record behind it is misrouted
	Leading bool              // Save: the checkpoint may count for other hosts
	Reading *Reading          // Read, RefuseReading
}

// Kind is the kind of an effect.
type Kind int

// The kinds of effects.
const (
	// Live opens the shard to viewers and readers.
	Live Kind = iota
	// Lead and Unlead tell the checkpoint store whether the checkpoints of this host count for others.
	Lead
	Unlead
	// ForwardAgain appends to their home partitions the misrouted records between the newest
	// checkpoint that counts and At. Answer it with Forwarded.
	ForwardAgain
	// Forward appends the first Count waiting records to their home partitions. Answer it with
	// Forwarded.
	Forward
	// StopForwards cancels the Forward or ForwardAgain under way, which is still answered with
	// Forwarded.
	StopForwards
	// DropForwards drops the first Count waiting records: they are stored, or another host forwards
	// them.
	DropForwards
	// Save writes a checkpoint. Its last step waits for Commit. Answer it with Saved.
	Save
	// Commit allows the checkpoint under way to take its last step.
	Commit
	// Tick appends a tick. Answer it with Ticked.
	Tick
	// Read passes the reading on to its dashboard, behind all records that were dispatched.
	Read
	// RefuseReading answers that the reading's position has not come in time.
	RefuseReading
	// Resume dispatches the waiting batches while MayDispatch allows it. It comes last, so that a
	// checkpoint stands at the position where it was decided.
	Resume
	// GiveBack returns the waiting batches to the reader.
	GiveBack
	// Disown makes the host stop acting for the shard.
	Disown
	// End stops the shard's actors. It is the last effect.
	End
)

var kindNames = [...]string{"live", "lead", "unlead", "forward again", "forward", "stop forwards", "drop forwards", "save", "commit", "tick", "read", "refuse reading", "resume", "give back", "disown", "end"}

// String returns the effect in the notation of the transcripts.
func (e Effect) String() string {
	name := kindNames[e.Kind]
	switch e.Kind {
	case ForwardAgain:
		return fmt.Sprintf("%s up to %s, misrouted up to %s", name, e.At, e.Last)
	case Forward, DropForwards:
		return fmt.Sprintf("%s %d", name, e.Count)
	case Read, RefuseReading:
		return fmt.Sprintf("%s %v", name, e.Reading.Of)
	case Save:
		if e.Leading {
			return fmt.Sprintf("%s at %s, leading", name, e.At)
		}
		return fmt.Sprintf("%s at %s", name, e.At)
	}
	return name
}

func (s *Shard) do(e Effect) { s.effects = append(s.effects, e) }

// Ready returns the effects of all inputs since the last call. The slice is valid until the next
// call. Performing the effects may cause further inputs.
func (s *Shard) Ready() []Effect {
	if s.resume && !s.stopping {
		s.do(Effect{Kind: Resume})
	}
	s.resume = false
	effects := s.effects
	s.effects, s.spare = s.spare[:0], effects
	return effects
}
