package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// Member is a member of the view, for display.
type Member struct {
	Name     string    `json:"name"` // the incarnation's name
	Node     string    `json:"node"`
	Link     string    `json:"link"`
	Gossip   string    `json:"gossip"`
	Roles    string    `json:"roles"`
	Weight   int       `json:"weight"`
	Draining bool      `json:"draining"`
	Held     bool      `json:"held"` // came a moment ago: ranks behind the others
	Self     bool      `json:"self"`
	Heard    bool      `json:"heard"` // its beats arrive
	Since    time.Time `json:"since"` // when it entered the view
	Shards   int       `json:"shards"`
	Live     int       `json:"live"` // shards on which it is live
}

// ShardInfo is the state of a shard, for display.
type ShardInfo struct {
	Shard   int         `json:"shard"`
	Serving string      `json:"serving"` // live, loading, unheard
	Source  string      `json:"source"`  // the node that gateways follow
	Since   time.Time   `json:"since"`
	Ranking []string    `json:"ranking"` // nodes, best first
	Claims  []ClaimInfo `json:"claims"`
}

// ClaimInfo is what one node claims for a shard.
type ClaimInfo struct {
	Node     string            `json:"node"`
	State    string            `json:"state"`
	Position messages.Position `json:"position"`
	Since    time.Time         `json:"since"`
}

// Members returns the members in the view, ordered by name.
func (l *Cluster) Members() []Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Member
	for _, m := range l.view.members {
		i := Member{
			Name: m.peer.Name, Node: m.peer.Node(), Link: m.peer.Address, Gossip: m.gossip, Roles: m.roles.String(), Weight: m.weight,
			Draining: m.leaving(), Held: m.held, Self: m == l.view.self, Heard: m.heard, Since: l.started.Add(m.arrived),
		}
		for _, c := range m.claims {
			if c.state != 0 {
				i.Shards++
			}
			if c.state == messages.Live {
				i.Live++
			}
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Shards returns the state of every shard.
func (l *Cluster) Shards() []ShardInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]ShardInfo, len(l.served))
	for shard, s := range l.served {
		i := ShardInfo{Shard: shard, Serving: s.serving.String(), Since: l.started.Add(s.since)}
		if s.serving == Live {
			i.Source = s.source.peer.Node()
		}
		for _, r := range l.view.table.Of(shard) {
			m := l.view.ranked[r]
			i.Ranking = append(i.Ranking, m.peer.Node())
			if c := m.claimOf(shard); c.state != 0 {
				i.Claims = append(i.Claims, ClaimInfo{m.peer.Node(), c.state.String(), c.position, l.started.Add(c.since)})
			}
		}
		all[shard] = i
	}
	return all
}

// Err returns why this process is not fit to serve: it is not admitted to the cluster, another
// start has taken its place, or, as a gateway, it has heard no node for 10 s. It returns nil if all
// is well.
func (l *Cluster) Err() error {
	if err := l.seeker.err(); err != nil {
		return fmt.Errorf("cluster %q: %w", l.config.Cluster, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.view
	switch {
	case v.newer != nil:
		return fmt.Errorf("cluster: a later start of node %s, or of a process with its address, is at %s: this process serves nothing while that one is there; stop one of them, or give each process its own name and address",
			v.self.peer.Node(), v.newer.peer)
	case v.joining:
		return fmt.Errorf("cluster: joining: asking the seeds %v", l.config.Seeds)
	case !v.self.roles.Has(NodeRole) && !v.hears(l.now(), maxSilence):
		return fmt.Errorf("cluster: no node was heard for %v: check that nodes run and that the port of their link can be reached", maxSilence)
	}
	return nil
}

// Hears reports whether this process has heard a node, other than itself, within d, or is younger
// than d.
func (l *Cluster) Hears(d time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view.hears(l.now(), d)
}

// maxSilence is how long a gateway may hear no node.
const maxSilence = 10 * time.Second

// Ready reports whether Err is nil.
func (l *Cluster) Ready() bool { return l.Err() == nil }

// hears reports whether a node was heard within d, or this process is younger than d.
func (v *view) hears(now, d time.Duration) bool {
	if now < d {
		return true
	}
	for _, m := range v.members {
		if m != v.self && m.roles.Has(NodeRole) && m.heardAt > 0 && now-m.heardAt < d {
			return true
		}
	}
	return false
}
