package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// Drain makes this node rank last everywhere, and returns when enough others are live on all that
// it has; it serves until then and after. If ctx ends before, the error says what is missing; the
// node stays draining.
func (l *Cluster) Drain(ctx context.Context) error {
	l.mu.Lock()
	l.drainLocked()
	l.mu.Unlock()
	tick := time.NewTicker(l.view.rules.beat)
	defer tick.Stop()
	for {
		l.mu.Lock()
		changed, waiting := l.changed, l.view.waiting(l.now())
		l.mu.Unlock()
		if len(waiting) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("cluster: drain: %d shards are not taken over yet, the first is %d: %w", len(waiting), waiting[0], context.Cause(ctx))
		}
	}
}

// drainLocked begins to drain, once.
func (l *Cluster) drainLocked() {
	if l.view.self.sighting.draining {
		return
	}
	l.view.self.sighting.draining = true
	l.view.drainedAt = l.now()
	close(l.draining)
	l.gossip.tell(l.config, true)
	l.seeker.again()
	l.wake()
}

// Draining is closed when this node begins to drain, whoever asked for it.
func (l *Cluster) Draining() <-chan struct{} { return l.draining }

// Emptying says whether this process, as a gateway, sends its sessions away: others list it as
// draining within a beat. It may say the opposite later. Nothing is decided by it: a node, whose
// draining has it rank last, says what Drain made it say.
func (l *Cluster) Emptying(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.view.self.roles.Has(NodeRole) {
		l.view.self.draining = on
	}
}

// waiting are the shards that not enough others are live on, or not long enough for all to have
// heard it.
func (v *view) waiting(now time.Duration) []int {
	others := 0
	for _, m := range v.members {
		if m != v.self && m.roles.Has(NodeRole) && !m.leaving() {
			others++
		}
	}
	enough := max(1, min(v.replicas, others))
	var waiting []int
	for shard, own := range v.self.claims {
		if own.state == 0 {
			continue
		}
		live := 0
		for _, m := range v.members {
			if c := m.says(shard); m != v.self && c.state == messages.Live && now-c.since >= 2*v.rules.beat {
				live++
			}
		}
		// What was said before the others knew may be a claim that just ended.
		if live < enough || now-v.drainedAt < 3*v.rules.beat {
			waiting = append(waiting, shard)
		}
	}
	return waiting
}

// RequestDrain asks another node, by its name, to drain: every beat until it says that it does. It
// may be this one.
func (l *Cluster) RequestDrain(ctx context.Context, node string) error {
	if node == l.view.self.peer.Node() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.drainLocked()
		return nil
	}
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.asked, node)
	}()
	tick := time.NewTicker(l.view.rules.beat)
	defer tick.Stop()
	for {
		l.mu.Lock()
		drains, known := false, false
		for _, m := range l.view.members {
			if m.peer.Node() == node && m.roles.Has(NodeRole) {
				known, drains = true, m.draining
			}
		}
		if known && !drains {
			l.asked[node] = true
		}
		l.mu.Unlock()
		switch {
		case drains:
			return nil
		case !known:
			return fmt.Errorf("cluster: drain %q: no such node is in the cluster; the members are listed by `dashfeed cluster members`", node)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("cluster: drain %s: it was asked every beat and doesn't say yet that it drains: %w", node, context.Cause(ctx))
		}
	}
}

// heed does what a beat asks of this node.
func (l *Cluster) heed(drain []string) {
	if slices.Contains(drain, l.view.self.peer.Node()) && l.view.self.roles.Has(NodeRole) {
		l.drainLocked()
	}
}
