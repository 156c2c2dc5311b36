package actors

import (
	"time"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/eventlog/forward"
	"github.com/dashfeed/dashfeed/feed"
)

// coreConfig returns the configuration of the shard's state machine.
func (h *Host) coreConfig(number int) core.Config {
	// Shards take turns with their checkpoints. The first turns come late enough to leave the
	// processors to the shards that load at the same time.
	const turns = 8
	every := h.config.CheckpointEvery
	return core.Config{
		CheckpointEvery: every,
		SavedAt:         h.now() - every*time.Duration(number%turns)/(2*turns),
		ProofGood:       proofGood,
		Shared:          h.config.Checkpoints.Shared(),
		MaxForwards:     maxMisrouted, MaxForwardBytes: maxMisroutedBytes,
		ForwardsAtOnce: forward.AtOnce, ForwardBytesOnce: forward.BytesAtOnce,
		MaxReadings: 4096,
	}
}

// look returns the shard's surroundings, which the state machine gets with each input.
func (s *shard) look() core.Now {
	return core.Now{
		Time:    s.host.now(),
		Owned:   s.owned.Load(),
		Stuck:   s.stuckFor() > 0,
		Failed:  s.failure.Load() != nil,
		Ended:   s.life.Err() != nil,
		Unsaved: len(s.dirty) + len(s.written),
	}
}

// perform performs the effects of the state machine. They may cause further inputs, and these may
// cause further effects.
func (s *shard) perform() {
	for {
		effects := s.core.Ready()
		s.publish()
		if len(effects) == 0 {
			return
		}
		for _, e := range effects {
			s.do(e)
		}
	}
}

func (s *shard) do(e core.Effect) {
	switch e.Kind {
	case core.Live:
		s.becomeLive()
	case core.Lead, core.Unlead:
		s.host.config.Checkpoints.Lead(s.number, e.Kind == core.Lead)
	case core.ForwardAgain:
		s.catchUp(e)
	case core.Forward:
		s.forward(e.Count)
	case core.StopForwards:
		s.forwarder.stop()
	case core.DropForwards:
		s.forwarder.drop(e.Count)
	case core.Save:
		s.beginCheckpoint(e)
	case core.Commit:
		close(s.job.home)
	case core.Tick:
		s.tick()
	case core.Read:
		s.read(e.Reading.Of.(*reading))
	case core.RefuseReading:
		e.Reading.Of.(*reading).reply <- readingReply{err: feed.ErrNotInTime}
	case core.Resume:
		s.resume()
	case core.GiveBack:
		s.giveBackHeld()
	case core.Disown:
		s.owned.Store(false)
	case core.End:
		s.host.root.Stop(s.pid)
	}
}
