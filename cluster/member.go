package cluster

import (
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/messages"
)

// Roles are what a process is in the cluster.
type Roles uint8

// The roles; a process may have both.
const (
	NodeRole    Roles = 1 << iota // folds shards
	GatewayRole                   // has sessions
)

// Has reports whether all of r are among the roles.
func (s Roles) Has(r Roles) bool { return s&r == r }

// String names the roles: "node", "gateway", "node+gateway".
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

// sighting is what gossip says of a member.
type sighting struct {
	peer     link.Peer
	gossip   string // its address there
	roles    Roles
	weight   int
	draining bool
}

// member is one incarnation in the view, this process's own among them. Times are since the view
// began.
type member struct {
	sighting
	arrived   time.Duration
	heldUntil time.Duration // this node's own opinion; the members vote
	held      bool          // the outcome

	// there was a beat, its connection didn't break since and it isn't too long ago
	heard    bool
	gone     bool          // it was heard and isn't any more
	heardAt  time.Duration // when the last beat came
	number   uint64        // of the last beat
	draining bool          // says its beat
	holds    map[string]bool
	claims   []claim // by shard; may be shorter than there are shards
}

// claim is what a member says of a shard.
type claim struct {
	state    messages.ClaimState // 0: nothing
	position messages.Position
	since    time.Duration // how long it has said so without a break
	beenLive bool          // since it was last heard to have nothing of the shard
}

// says is what the member claims of a shard now.
func (m *member) says(shard int) claim {
	if !m.heard || shard >= len(m.claims) {
		return claim{}
	}
	return m.claims[shard]
}

// say takes claims over. It reports whether a state is another than before.
func (m *member) say(now time.Duration, claims []messages.Claim) (changed bool) {
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

// silence ends what was heard of the member.
func (m *member) silence() {
	m.heard, m.gone = false, m.gone || m.heard
	m.claims, m.holds = nil, nil
}

// leaving reports whether the member wants to go, by gossip or by its beat.
func (m *member) leaving() bool { return m.sighting.draining || m.draining }
