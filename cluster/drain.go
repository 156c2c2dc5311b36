package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// Drain makes this node rank last everywhere and returns when enough others are live on every shard
// that it has. The node serves until then and afterwards. If ctx ends first, the error says what is
// missing, and the node stays draining.
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
			return fmt.Errorf("cluster: drain: %d shards are not taken over yet, shard %d is the first: %w", len(waiting), waiting[0], context.Cause(ctx))
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
	l.gossip.setMeta(l.config, true)
	l.seeker.requestSpread()
	l.wake()
}

// Draining returns a channel that is closed when this node begins to drain, whoever asked for it.
func (l *Cluster) Draining() <-chan struct{} { return l.draining }

// SetGatewayDraining says whether this process, as a gateway, sends its sessions away; others list
// it as draining within a beat. It can be taken back. It decides nothing: for a node, only Drain
// matters, which makes it rank last.
func (l *Cluster) SetGatewayDraining(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.view.self.roles.Has(NodeRole) {
		l.view.self.draining = on
	}
}

// waiting returns the shards on which not enough others are live, or not long enough for all
// members to have heard it.
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
			if c := m.claimOf(shard); m != v.self && c.state == messages.Live && now-c.since >= 2*v.rules.beat {
				live++
			}
		}
		// A claim sent before the others knew of the drain may have ended since.
		if live < enough || now-v.drainedAt < 3*v.rules.beat {
			waiting = append(waiting, shard)
		}
	}
	return waiting
}

// RequestDrain asks another node, by its name, to drain, in every beat until that node reports that
// it drains. It may be this node.
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
			return fmt.Errorf("cluster: drain %q: there is no such node in the cluster; `dashfeed cluster members` lists the members", node)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("cluster: drain %s: it was asked in every beat and has not begun to drain: %w", node, context.Cause(ctx))
		}
	}
}

// followDrain does what a beat asks of this node.
func (l *Cluster) followDrain(drain []string) {
	if slices.Contains(drain, l.view.self.peer.Node()) && l.view.self.roles.Has(NodeRole) {
		l.drainLocked()
	}
}
