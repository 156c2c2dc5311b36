package cluster

import (
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// Settled returns why this node has not taken its first shards yet, or nil: it has found the
// others, has listened to them, is ranked with them, and is live on each shard that it should have,
// or cannot be. Once nil it stays nil. A rolling restart waits for it, so that it never stops the
// next node while this one holds nothing.
func (l *Cluster) Settled() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unsettled
}

// settle checks whether the node has settled, until it has. It is called right after a decision,
// with mu held.
func (l *Cluster) settle(now time.Duration, shards int) {
	if l.unsettled != nil {
		l.unsettled = l.view.unsettled(now, shards, l.config.Shards)
	}
}

// unsettled returns what is still missing.
func (v *view) unsettled(now time.Duration, shards int, host Shards) error {
	switch {
	case !v.self.roles.Has(NodeRole):
		return nil
	case v.joining:
		return fmt.Errorf("starting: looking for the other members")
	case v.others() && now < v.newUntil || v.unheard(now):
		return fmt.Errorf("starting: listening to what the other nodes hold")
	case v.self.held:
		return fmt.Errorf("starting: the other nodes keep its shards a moment longer, because it left and came back")
	}
	lacking, first := 0, -1
	for shard := range shards {
		if v.wanted(shard) && v.self.claimOf(shard).state != messages.Live && !host.Failed(shard) {
			if lacking++; first < 0 {
				first = shard
			}
		}
	}
	if lacking > 0 {
		return fmt.Errorf("starting: %d of its first shards are not live yet, for example shard %d", lacking, first)
	}
	return nil
}

// unheard reports whether a node came a moment ago, as all do at the start, whose first beat may
// still be on its way.
func (v *view) unheard(now time.Duration) bool {
	for _, m := range v.members {
		if m != v.self && m.roles.Has(NodeRole) && !m.heard && !m.gone && now-m.arrived < v.rules.grace {
			return true
		}
	}
	return false
}

// wanted reports whether this node is among those that should have the shard.
func (v *view) wanted(shard int) bool {
	for rank, i := range v.table.Of(shard) {
		if rank >= v.replicas {
			return false
		}
		if v.ranked[i] == v.self {
			return true
		}
	}
	return false
}
