package actors

import (
	"context"
	"errors"
	"time"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

const (
	probeEvery = 250 * time.Millisecond
	// idleProbe is how often the log is asked where it has named the same record twice and the shard
	// is live. A proof ends proofGood after its question, however often one is asked: no claim is
	// older for it. What is left to answer in, and to fold what came meanwhile, is 750 ms in place of
	// a second; a reader's silence proves nothing, since the log may be slow to give what it has.
	idleProbe = 2 * probeEvery
	// proofGood is how long a shard is live after it asked the log for its last record and had
	// folded that: a second, and the time to the next probe.
	proofGood = time.Second + probeEvery
	// cutOff is how long a shard that can't hear its log claims all the same: then others may take
	// its place.
	cutOff = 5 * time.Second
	// calm is how long a host that reaches the log again takes no more shards on: those who had
	// them reach it too.
	calm = 3 * time.Second
)

// probe asks the log for its last record over and over, one ask at a time, until ctx ends. A log
// that doesn't answer proves nothing: who hears no record and no answer is cut off, not up to date.
func (s *shard) probe(ctx context.Context) {
	s.lagAsked = s.host.now() - lagEvery/2 // most loads are done within a second
	var before messages.Position
	for {
		asked, wait := s.host.now(), probeEvery
		last, err := s.last(ctx)
		switch {
		case err == nil:
			s.heard()
			s.tell(&core.Naming{Last: last, Asked: asked})
			s.measureLag(ctx)
			if last == before && s.isLive() {
				wait = idleProbe
			}
			before = last
		case ctx.Err() == nil:
			s.unheard(asked)
			s.warn("last", "the log does not say where its last record is, the shard can't be live", "error", err)
		}
		// all shards of the host at the same time: their questions go together
		now := s.host.now()
		if !eventlog.Pause(ctx, (now+wait).Truncate(probeEvery)-now) {
			return
		}
	}
}

// unheard notes that the log, or the checkpoint, was asked for at that time and could not be had.
func (s *shard) unheard(asked time.Duration) { s.silent.CompareAndSwap(0, int64(max(asked, 1))) }

// heard notes that it could.
func (s *shard) heard() { s.silent.Store(0) }

// cut reports whether the shard has not heard its log for so long that it should not stand in
// anybody's way. One that loads, and asks for more than the log's last word, goes by the log's own.
func (s *shard) cut() bool {
	if s.phase() == phaseLoading && errors.Is(s.host.config.Log.Err(), eventlog.ErrUnreachable) {
		return true
	}
	since := s.silent.Load()
	return since != 0 && s.host.now()-time.Duration(since) > cutOff
}

// deaf reports whether the host can't reach the log at all, or could not a moment ago. Then it
// takes no more shards on: where nobody reaches the log, nobody serves a shard better than who had
// it. It is called with mu held.
func (h *Host) deaf() bool {
	if errors.Is(h.config.Log.Err(), eventlog.ErrUnreachable) {
		h.deafAt = max(h.now(), 1)
	}
	return h.deafAt != 0 && h.now()-h.deafAt < calm
}

func (s *shard) last(ctx context.Context) (messages.Position, error) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.host.config.Log.Last(ctx, s.number)
}

// fresh reports whether the shard has folded all that the log had a second ago.
func (s *shard) fresh() bool {
	age, proven := s.proofAge()
	return proven && age <= proofGood
}

// isLive is what a claim says.
func (s *shard) isLive() bool { return s.phase() == phaseLive && s.fresh() && s.stuckFor() == 0 }

// claim is what the host says of the shard; ok is false where it has stopped, makes no progress or
// is cut off from its log: who claims holds back those who rank below.
func (s *shard) claim() (c messages.Claim, ok bool) {
	if s.phase() == phaseFailed || s.cut() || s.stuckFor() > 0 {
		return c, false
	}
	c = messages.Claim{Shard: s.number, State: messages.Loading}
	if s.isLive() {
		c.State = messages.Live
	}
	c.Position = s.view.Load().folded
	return c, true
}

// liveUntil is when the shard's last proof ended, as a time of the wall clock; zero where it is
// live or never was.
func (s *shard) liveUntil() time.Time {
	if v := s.view.Load(); v.proven && s.host.now()-v.asked > proofGood {
		return s.host.started.Add(v.asked)
	}
	return time.Time{}
}

// proofAge is how old the newest word of the log is that the shard has folded up to; proven is
// false where there is none.
func (s *shard) proofAge() (age time.Duration, proven bool) {
	v := s.view.Load()
	return s.host.now() - v.asked, v.proven
}

// stateName is how the shard stands, as a metric's label.
func (s *shard) stateName() string {
	switch {
	case s.phase() == phaseLoading:
		return "loading"
	case s.phase() == phaseFailed:
		return "failed"
	case s.stuckFor() > 0:
		return "stuck"
	case s.isLive():
		return "live"
	}
	return "behind"
}
