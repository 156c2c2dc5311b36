package actors

import (
	"slices"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// openBehind opens the log behind a position of the shard. If an accepted hole begins there, it
// opens the log behind the hole.
func (s *shard) openBehind(at messages.Position, holes []fold.Hole) (eventlog.Reader, error) {
	if n := len(holes); n > 0 && holes[n-1].From == at {
		return s.readRemnant()
	}
	return s.host.config.Log.Read(s.number, at)
}

// inHole reports whether a record lies in one of the holes. Such a record may still be in the log,
// if it was skipped.
func inHole(holes []fold.Hole, at messages.Position) bool {
	return slices.ContainsFunc(holes, func(h fold.Hole) bool { return at.After(h.From) && h.To.After(at) })
}

func (s *shard) readRemnant() (eventlog.Reader, error) {
	if log, ok := s.host.config.Log.(eventlog.Remnant); ok {
		return log.ReadRemnant(s.number)
	}
	return s.host.config.Log.Read(s.number, messages.Position{})
}

// enterHole checks the first record that the log gives behind the position. If a hole that is not
// in the state yet ends there, it tells the shard.
func (r *reader) enterHole(first messages.Position) error {
	holes, err := r.loss.endAt(first, r.position, r.holes)
	if err != nil {
		return err
	}
	if len(holes) > len(r.holes) {
		r.holes = holes
		r.shard.tell(&skipping{r.position, first})
	}
	return nil
}

// skip adds a hole to the state, before the first batch behind it, and has a checkpoint written
// soon.
func (s *shard) skip(m *skipping) {
	if err := s.state.Skip(m.from, m.to); err != nil {
		s.fail(err)
		return
	}
	close(s.skipped)
	s.keepHoles()
	s.core.Skip()
	s.host.tallies.holes.Add(1)
	s.logger().Error("the shard goes on behind records that are lost, as a new epoch", "after", m.from, "from", m.to)
}

func (s *shard) keepHoles() {
	holes := s.state.Holes()
	s.known.holes = &holes
}
