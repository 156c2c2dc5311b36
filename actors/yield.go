package actors

import (
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// patience is how long a live shard waits for what a viewer has seen elsewhere. The shard has
// folded everything that the log has, so what does not come by then is lost.
const patience = 5 * time.Second

// await notes that viewers of the dashboard are ahead of it.
func (s *shard) await(e *entry) {
	if s.ahead == nil {
		s.ahead = map[*entry]time.Duration{}
	}
	if _, known := s.ahead[e]; !known && len(e.subs) > 0 {
		s.ahead[e] = s.host.now()
	}
}

// waitedEnough reports whether the shard has stopped waiting for what the dashboard's viewers have
// seen elsewhere.
func (s *shard) waitedEnough(e *entry) bool {
	since, waits := s.ahead[e]
	return waits && s.isLive() && s.host.now()-since >= patience
}

// yieldIfDue answers those who have waited too long. While the shard is not live the wait does not
// count: then the shard is behind.
func (s *shard) yieldIfDue(now time.Duration) {
	live := s.isLive()
	for e, since := range s.ahead {
		switch {
		case !live:
			s.ahead[e] = now
		case now-since < patience:
		case e.pid == nil:
			for _, sub := range e.subs {
				if a := sub.pending; sub.waits(a) && a.Position.After(s.core.Position()) {
					s.takeBack(e.key, a.Place, 0, 0)
				}
				s.tellEmpty(e, sub)
			}
			delete(s.ahead, e)
		default:
			delete(s.ahead, e)
			s.send(e, &yielding{turn{entry: e, logTime: s.state.LogTime()}, now - patience})
		}
	}
}

// takeBack counts and logs that a viewer is shown less than it has seen.
func (s *shard) takeBack(k messages.Key, from feed.Place, epoch messages.Epoch, version uint64) {
	s.host.tallies.takenBack.Add(1)
	s.warn("taken back", "a viewer has seen what the log has not: the log has lost records; it begins anew",
		"dashboard", k.Label(), "seen", messages.Place{Epoch: from.Epoch, Version: from.Version}, "seen_position", from.Position,
		"here", messages.Place{Epoch: epoch, Version: version})
}
