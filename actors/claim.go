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
	// idleProbe is how often the log is asked if the shard is live and the log has named the same
	// record twice. A proof ends proofGood after its question, so asking less often makes no claim
	// older. It leaves 750 ms instead of a second to answer, and to fold what came meanwhile. The
	// silence of a reader proves nothing, since the log may be slow to deliver.
	idleProbe = 2 * probeEvery
	// proofGood is how long a shard is live after it asked the log for its last record and had
	// folded up to that record: a second, plus the time to the next probe.
	proofGood = time.Second + probeEvery
	// cutOff is how long a shard that cannot hear its log still claims. After that, others may take
	// its place.
	cutOff = 5 * time.Second
	// loadPause is how long a host that reaches the log again takes no new shards: the hosts that
	// had them reach it again, too.
	loadPause = 3 * time.Second
)

// probe asks the log for its last record repeatedly, one question at a time, until ctx ends. A log
// that does not answer proves nothing: a shard that hears neither a record nor an answer is cut
// off, not up to date.
func (s *shard) probe(ctx context.Context) {
	s.lagAsked = s.host.now() - lagEvery/2 // most loads finish within a second
	var before messages.Position
	for {
		asked, wait := s.host.now(), probeEvery
		last, err := s.last(ctx)
		switch {
		case err == nil:
			s.heard()
			s.tell(core.Naming{Last: last, Asked: asked})
			s.measureLag(ctx)
			if last == before && s.isLive() {
				wait = idleProbe
			}
			before = last
		case ctx.Err() == nil:
			s.unheard(asked)
			s.warn("last", "the log does not say where its last record is, the shard can't be live", "error", err)
		}
		// All shards of the host ask at the same time, so that their questions go together.
		now := s.host.now()
		if !eventlog.Pause(ctx, (now+wait).Truncate(probeEvery)-now) {
			return
		}
	}
}

// unheard notes that a request to the log or the checkpoint store, made at asked, failed.
func (s *shard) unheard(asked time.Duration) { s.silent.CompareAndSwap(0, int64(max(asked, 1))) }

// heard notes that the log or the checkpoint store answered.
func (s *shard) heard() { s.silent.Store(0) }

// cut reports whether the shard has been cut off from its log for so long that it should not stand
// in the way of others. A loading shard makes larger requests than the probe, so that it also
// counts as cut off when the log reports itself unreachable.
func (s *shard) cut() bool {
	if s.phase() == phaseLoading && errors.Is(s.host.config.Log.Err(), eventlog.ErrUnreachable) {
		return true
	}
	since := s.silent.Load()
	return since != 0 && s.host.now()-time.Duration(since) > cutOff
}

// deaf reports whether the host cannot reach the log at all, or could not a moment ago. Then it
// takes no new shards: if nobody reaches the log, nobody serves a shard better than the host that
// has it. Call it with mu held.
func (h *Host) deaf() bool {
	if errors.Is(h.config.Log.Err(), eventlog.ErrUnreachable) {
		h.deafAt = max(h.now(), 1)
	}
	return h.deafAt != 0 && h.now()-h.deafAt < loadPause
}

func (s *shard) last(ctx context.Context) (messages.Position, error) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.host.config.Log.Last(ctx, s.number)
}

// fresh reports whether the shard has folded everything that the log had a second ago.
func (s *shard) fresh() bool {
	age, proven := s.proofAge()
	return proven && age <= proofGood
}

// isLive reports whether the shard claims to be live.
func (s *shard) isLive() bool { return s.phase() == phaseLive && s.fresh() && s.stuckFor() == 0 }

// claim returns the host's claim for the shard. ok is false if the shard has stopped, makes no
// progress, or is cut off from its log: a claim would hold back lower-ranked hosts.
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

// liveUntil returns when the log was asked for the shard's last proof, as wall clock time, if that
// proof has expired. It returns zero if the shard is live or never was.
func (s *shard) liveUntil() time.Time {
	if v := s.view.Load(); v.proven && s.host.now()-v.asked > proofGood {
		return s.host.started.Add(v.asked)
	}
	return time.Time{}
}

// proofAge returns the age of the log's newest answer that the shard has folded up to. proven is
// false if there is none.
func (s *shard) proofAge() (age time.Duration, proven bool) {
	v := s.view.Load()
	return s.host.now() - v.asked, v.proven
}

// stateName returns the shard's state, as a metric's label.
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
