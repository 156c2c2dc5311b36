package cluster

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// seeker finds the other members and finds them again: memberlist gives up those that were away for
// half a minute, and two halves of a cluster would stay two for ever. So every few seconds it asks
// the seeds, and those it knew, that aren't there.
type seeker struct {
	gossip *gossip
	logger *slog.Logger
	seeds  []string
	every  time.Duration
	joined func() // there is somebody, or nobody to wait for

	kick chan struct{} // what gossip says of this process changed

	mu      sync.Mutex
	known   map[string]time.Time // gossip addresses of members, when each was last there
	found   bool                 // it is in the cluster, or the first of it
	trouble error                // why those who answered didn't let it in
}

const (
	alone       = 3 * time.Second  // without an answer of a seed, it begins alone
	rememberFor = 10 * time.Minute // where a member was
	maxKnown    = 256
)

func newSeeker(c Config, g *gossip, joined func()) *seeker {
	every := 3 * time.Second
	if c.Preset == Local {
		every = 2 * time.Second
	}
	return &seeker{gossip: g, logger: c.Logger, seeds: c.Seeds, every: every, joined: joined, kick: make(chan struct{}, 1), known: map[string]time.Time{}}
}

// run seeks until ctx ends.
func (s *seeker) run(ctx context.Context) {
	began, warned := time.Now(), time.Time{}
	for {
		missing := s.missing(ctx)
		var err error
		if len(missing) > 0 {
			err = s.gossip.join(missing)
		}
		s.judge(err, len(missing), time.Since(began))
		if err != nil && time.Since(warned) > 30*time.Second && time.Since(began) > alone/2 {
			warned = time.Now()
			s.warn(err, missing)
		}
		wait := s.every
		if !s.isFound() {
			wait = 500 * time.Millisecond
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-s.kick:
			s.spread()
		case <-ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// missing are the addresses of seeds and of members that were there lately, without those that are
// there now.
func (s *seeker) missing(ctx context.Context) []string {
	now := time.Now()
	there := map[string]bool{}
	var seeds []string
	for _, seed := range s.seeds {
		seeds = append(seeds, resolve(ctx, seed)...)
	}
	self := s.gossip.self
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.gossip.members() {
		there[m.gossip] = true
		if m.gossip != self {
			s.remember(m.gossip, now)
		}
	}
	there[self] = true
	var missing []string
	for address, last := range s.known {
		if now.Sub(last) > rememberFor {
			delete(s.known, address)
		} else if !there[address] {
			missing = append(missing, address)
		}
	}
	for _, address := range seeds {
		if !there[address] && !slices.Contains(missing, address) {
			missing = append(missing, address)
		}
	}
	return missing
}

func (s *seeker) remember(address string, now time.Time) {
	if _, ok := s.known[address]; !ok && len(s.known) >= maxKnown {
		oldest := ""
		for a, last := range s.known {
			if oldest == "" || last.Before(s.known[oldest]) {
				oldest = a
			}
		}
		delete(s.known, oldest)
	}
	s.known[address] = now
}

// resolve gives the addresses of a seed by number; a name may stand for several.
func resolve(ctx context.Context, seed string) []string {
	host, port, err := net.SplitHostPort(seed)
	if err != nil || net.ParseIP(host) != nil {
		return []string{seed}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	hosts, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return []string{seed} // memberlist names it in its error
	}
	addresses := make([]string, len(hosts))
	for i, h := range hosts {
		addresses[i] = net.JoinHostPort(h, port)
	}
	return addresses
}

// judge decides whether it is in: somebody is there, or nobody answers and it has waited, or there
// is nobody to ask. One that is turned away, by another key or another cluster's name, goes on
// asking: alone it would serve everything a second time.
func (s *seeker) judge(err error, missing int, waited time.Duration) {
	s.mu.Lock()
	others := len(s.gossip.members()) > 1
	s.trouble = nil
	if err != nil && !others {
		s.trouble = whyNot(err)
	}
	now := others || missing == 0 || s.trouble == nil && err != nil && waited >= alone
	first := now && !s.found
	s.found = s.found || now
	s.mu.Unlock()
	if first {
		s.joined()
	}
}

func (s *seeker) warn(err error, missing []string) {
	if why := whyNot(err); why != nil {
		s.logger.Warn("gossip is refused", "by", missing, "reason", why.Error(), "error", err)
		return
	}
	s.logger.Warn("members that should be there don't answer: check that they run, their addresses, and that UDP and TCP pass", "missing", missing, "error", err)
}

func (s *seeker) isFound() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found
}

// err is why it isn't let in.
func (s *seeker) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// again has what gossip says of this process spread.
func (s *seeker) again() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// spread tells the others what changed.
func (s *seeker) spread() {
	if err := s.gossip.list.UpdateNode(time.Second); err != nil {
		s.logger.Debug("gossip didn't spread yet", "error", err) // the beats say it too
	}
}
