package cluster

import (
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// Settled is why this node has not taken its first shards yet, or nil: it has found the others, has
// listened to them, ranks with them, and is live on each shard that it is to have, or can't be.
// Once nil it stays nil. So a rolling restart that waits for it never stops the next node while
// this one holds nothing.
func (l *Cluster) Settled() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unsettled
}

// settle looks whether the node has settled, until it has. It is called right after a decision,
// with mu held.
func (l *Cluster) settle(now time.Duration, shards int) {
	if l.unsettled != nil {
		l.unsettled = l.view.unsettled(now, shards, l.config.Shards)
	}
}

// unsettled is what is still missing.
func (v *view) unsettled(now time.Duration, shards int, host Shards) error {
	switch {
	case !v.self.roles.Has(NodeRole):
		return nil
	case v.joining:
		return fmt.Errorf("starting: the other members are looked for")
	case v.others() && now < v.newUntil || v.unheard(now):
		return fmt.Errorf("starting: it listens to what the other nodes hold")
	case v.self.held:
		return fmt.Errorf("starting: the other nodes keep its shards a moment longer, since it came and went")
	}
	lacking, first := 0, -1
	for shard := range shards {
		if v.wanted(shard) && v.self.says(shard).state != messages.Live && !host.Failed(shard) {
			if lacking++; first < 0 {
				first = shard
			}
		}
	}
	if lacking > 0 {
		return fmt.Errorf("starting: %d of its first shards are not live yet, shard %d is one", lacking, first)
	}
	return nil
}

// unheard reports whether there is a node that came a moment ago, as all do at the start, and whose
// first beat may be on its way.
func (v *view) unheard(now time.Duration) bool {
	for _, m := range v.members {
		if m != v.self && m.roles.Has(NodeRole) && !m.heard && !m.gone && now-m.arrived < v.rules.grace {
			return true
		}
	}
	return false
}

// wanted reports whether this node is among those that are to have the shard.
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
