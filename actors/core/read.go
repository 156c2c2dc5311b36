package core

import (
	"slices"

	"github.com/dashfeed/dashfeed/messages"
)

// Reading is a question to one dashboard. It waits until the shard has come to a position.
type Reading struct {
	After messages.Position // position to wait for; zero: none
	Of    any               // the caller's own value of the reading
}

// step performs the reading at once or when its position has come, or refuses it if too many wait.
func (r *Reading) step(s *Shard) {
	switch {
	case !r.After.After(s.position):
		s.do(Effect{Kind: Read, Reading: r})
	case len(s.readings) >= s.config.MaxReadings:
		s.do(Effect{Kind: RefuseReading, Reading: r})
	default:
		s.readings = append(s.readings, r)
	}
}

// Forget drops a reading that nobody waits for any more.
type Forget struct{ *Reading }

func (f Forget) step(s *Shard) {
	s.readings = slices.DeleteFunc(s.readings, func(r *Reading) bool { return r == f.Reading })
}

// readReached performs the readings whose position has come, in the order in which they came.
func (s *Shard) readReached() {
	s.readings = slices.DeleteFunc(s.readings, func(r *Reading) bool {
		reached := !r.After.After(s.position)
		if reached {
			s.do(Effect{Kind: Read, Reading: r})
		}
		return reached
	})
}
