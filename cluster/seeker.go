package cluster

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// seeker finds the other members, and finds them again: memberlist gives up on members that were
// away for half a minute, so the two halves of a split cluster would never merge. Therefore it
// asks, every few seconds, the seeds and known members that are not in the view.
type seeker struct {
	gossip *gossip
	logger *slog.Logger
	seeds  []string
	every  time.Duration
	joined func() // called when there is another member, or none to wait for

	spreadNow chan struct{} // what gossip says about this process has changed

	mu      sync.Mutex
	known   map[string]time.Time // gossip addresses of members, with the time when each was last there
	found   bool                 // this process is in the cluster, or its first member
	trouble error                // why those who answered did not admit this process
}

const (
	alone       = 3 * time.Second  // without an answer from a seed for this long, it begins alone
	rememberFor = 10 * time.Minute // how long a member's address is remembered
	maxKnown    = 256
)

func newSeeker(c Config, g *gossip, joined func()) *seeker {
	every := 3 * time.Second
	if c.Preset == Local {
		every = 2 * time.Second
	}
	return &seeker{gossip: g, logger: c.Logger, seeds: c.Seeds, every: every, joined: joined, spreadNow: make(chan struct{}, 1), known: map[string]time.Time{}}
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
		case <-s.spreadNow:
			s.spread()
		case <-ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// missing returns the addresses of seeds and recent members that are not in the view now.
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

// resolve returns the IP addresses of a seed; a name may have several.
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

// judge decides whether this process is in the cluster: another member is there, or nobody answers
// and it has waited, or there is nobody to ask. A process that is refused, because of another key
// or cluster name, keeps asking: alone it would serve everything a second time.
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
		s.logger.Warn("members refuse this process's gossip", "by", missing, "reason", why.Error(), "error", err)
		return
	}
	s.logger.Warn("known members do not answer: check that they run, their addresses, and that UDP and TCP are not blocked", "missing", missing, "error", err)
}

func (s *seeker) isFound() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found
}

// err returns why this process is not admitted.
func (s *seeker) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// requestSpread makes run spread what gossip says about this process.
func (s *seeker) requestSpread() {
	select {
	case s.spreadNow <- struct{}{}:
	default:
	}
}

// spread tells the others what changed.
func (s *seeker) spread() {
	if err := s.gossip.list.UpdateNode(time.Second); err != nil {
		s.logger.Debug("gossip didn't spread yet", "error", err) // the beats say it too
	}
}
