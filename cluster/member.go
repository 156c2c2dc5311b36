package cluster

import (
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/messages"
)

// Roles are the parts that a process plays in the cluster.
type Roles uint8

// The roles; a process may have both.
const (
	NodeRole    Roles = 1 << iota // folds shards
	GatewayRole                   // serves sessions
)

// Has reports whether s includes all of r.
func (s Roles) Has(r Roles) bool { return s&r == r }

// String returns the roles' names: "node", "gateway", "node+gateway".
func (s Roles) String() string {
	var names []string
	if s.Has(NodeRole) {
		names = append(names, "node")
	}
	if s.Has(GatewayRole) {
		names = append(names, "gateway")
	}
	return strings.Join(names, "+")
}

// sighting is what gossip says about a member.
type sighting struct {
	peer     link.Peer
	gossip   string // address of its gossip
	roles    Roles
	weight   int
	draining bool
}

// member is one incarnation in the view, including this process's own. Times count from the
// beginning of the view.
type member struct {
	sighting
	arrived   time.Duration
	heldUntil time.Duration // this node's own opinion; the members vote
	held      bool          // the outcome of the vote

	// a beat came recently, and its connection has not broken since
	heard    bool
	gone     bool          // it was heard before and is not heard now
	heardAt  time.Duration // when the last beat came
	number   uint64        // of the last beat
	draining bool          // as its beat says
	holds    map[string]bool
	claims   []claim // indexed by shard; may be shorter than the number of shards
}

// claim is what a member claims for a shard.
type claim struct {
	state    messages.ClaimState // 0: nothing
	position messages.Position
	since    time.Duration // since when it has claimed so without interruption
	beenLive bool          // it has been live since it was last heard without the shard
}

// claimOf returns what the member claims for a shard now.
func (m *member) claimOf(shard int) claim {
	if !m.heard || shard >= len(m.claims) {
		return claim{}
	}
	return m.claims[shard]
}

// setClaims replaces the member's claims. It reports whether a state changed.
func (m *member) setClaims(now time.Duration, claims []messages.Claim) (changed bool) {
	before := m.claims
	m.claims = nil
	for _, c := range claims {
		if c.Shard < 0 || c.Shard >= MaxShards {
			continue
		}
		for len(m.claims) <= c.Shard {
			m.claims = append(m.claims, claim{})
		}
		n := claim{c.State, c.Position, now, c.State == messages.Live}
		if c.Shard < len(before) {
			n.beenLive = n.beenLive || before[c.Shard].beenLive
		}
		if c.Shard < len(before) && before[c.Shard].state == c.State {
			n.since = before[c.Shard].since
		} else {
			changed = true
		}
		m.claims[c.Shard] = n
	}
	for s, c := range before {
		if c.state != 0 && (s >= len(m.claims) || m.claims[s].state == 0) {
			changed = true
		}
	}
	return changed
}

// silence ends what was heard from the member.
func (m *member) silence() {
	m.heard, m.gone = false, m.gone || m.heard
	m.claims, m.holds = nil, nil
}

// leaving reports whether the member wants to leave, by gossip or by its beat.
func (m *member) leaving() bool { return m.sighting.draining || m.draining }
