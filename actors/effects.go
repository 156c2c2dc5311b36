package actors

import (
	"time"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/eventlog/forward"
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

// windows returns what the dashboards' windows wait for.
func (s *shard) windows() core.Windows {
	w := core.Windows{Deadline: core.NoDeadline, LogTime: s.state.LogTime(), Wall: time.Now().UnixMilli(), Busy: s.inflight.Load() > 0}
	if at, waiting := s.waits.next(); waiting {
		w.Deadline = at
	}
	if e := s.deadlines.first(); e != nil {
		w.Deadline = min(w.Deadline, e.due)
	}
	return w
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
		s.forwarder.waiting = nil
	case core.Save:
		s.beginCheckpoint(e)
	case core.Commit:
		close(s.job.home)
	case core.Tick:
		s.tick()
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
