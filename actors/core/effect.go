package core

import (
	"fmt"

	"github.com/dashfeed/dashfeed/messages"
)

// Effect is something that the shard wants done. Those of one Ready are done in order.
type Effect struct {
	Kind    Kind
	Count   int               // Forward: so many of what waits
	At      messages.Position // Save: where the checkpoint stands; ForwardAgain: how far
	Last    messages.Position // ForwardAgain: nothing behind it is misrouted
	Leading bool              // Save: it may count for other hosts
}

// Kind is the kind of an effect.
type Kind int

// The kinds of effects.
const (
	// Live opens the shard to viewers and readers.
	Live Kind = iota
	// Lead and Unlead tell the checkpoints' store whether this host's are those that count.
	Lead
	Unlead
	// ForwardAgain appends at their homes the misrouted records from the newest checkpoint that
	// counts up to At, and answers with Forwarded.
	ForwardAgain
	// Forward appends the first Count of the records that wait at their homes, and answers with
	// Forwarded.
	Forward
	// StopForwards ends what Forward or ForwardAgain has under way, which answers all the same.
	StopForwards
	// DropForwards drops the records that wait.
	DropForwards
	// Save writes a checkpoint and answers with Saved; it waits for Commit before its last step.
	Save
	// Commit lets the checkpoint under way take its last step.
	Commit
	// Tick appends a tick and answers with Ticked.
	Tick
	// Resume dispatches the batches that wait, while MayDispatch. It comes last: a checkpoint
	// stands where it was decided on.
	Resume
	// GiveBack gives the batches that wait back to the reader.
	GiveBack
	// Disown has the host act for the shard no more.
	Disown
	// End stops the shard's actors. It is the last effect.
	End
)

var kindNames = [...]string{"live", "lead", "unlead", "forward again", "forward", "stop forwards", "drop forwards", "save", "commit", "tick", "resume", "give back", "disown", "end"}

// String is the effect as transcripts have it.
func (e Effect) String() string {
	name := kindNames[e.Kind]
	switch e.Kind {
	case ForwardAgain:
		return fmt.Sprintf("%s up to %s, misrouted up to %s", name, e.At, e.Last)
	case Forward:
		return fmt.Sprintf("%s %d", name, e.Count)
	case Save:
		if e.Leading {
			return fmt.Sprintf("%s at %s, leading", name, e.At)
		}
		return fmt.Sprintf("%s at %s", name, e.At)
	}
	return name
}

func (s *Shard) do(e Effect) { s.effects = append(s.effects, e) }

// Ready takes the effects of the inputs since the last call. They are good until the next call:
// what is done about them may bring further inputs.
func (s *Shard) Ready() []Effect {
	if s.resume && !s.stopping {
		s.do(Effect{Kind: Resume})
	}
	s.resume = false
	effects := s.effects
	s.effects, s.spare = s.spare[:0], effects
	return effects
}
