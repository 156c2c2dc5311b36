package cluster

import (
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// orders says what a node does next with its shards.
type orders struct {
	load []int
	drop []int
	own  []bool // indexed by shard: whether the node acts for it
}

// decide says what to load, drop and own. It is a pure function of the view, the claims that were
// heard, this node's own claims and the time. So it may be called as often as needed, and nothing
// depends on whether an order was followed.
//
//   - load if fewer than replicas of the nodes that rank higher claim the shard. A new member
//     counts as claiming until it had time to. A higher one that is heard but does not claim gets
//     two beats to begin, so that not all begin at once;
//   - drop if, for the whole time `keep`, replicas nodes ranked higher and were live. Both must
//     have held that long: right after ranks changed, the node that now ranks higher may have
//     dropped the shard a moment ago, and its last beat does not show it yet. A load that has begun
//     is finished first;
//   - own if live and no higher node is heard to be live.
func (v *view) decide(now time.Duration, shards int, mine []messages.Claim) orders {
	v.rank(now, shards)
	v.self.setClaims(now, mine)
	v.remember(shards)
	o := orders{own: make([]bool, shards)}
	if v.joining || !v.self.roles.Has(NodeRole) {
		return o
	}
	if v.newer != nil {
		for _, c := range mine {
			o.drop = append(o.drop, c.Shard)
		}
		return o
	}
	if now < v.listenUntil && v.others() {
		for shard := range v.served {
			v.served[shard] = never
		}
		return o
	}
	for shard := range shards {
		own := v.self.claimOf(shard).state
		above := v.above(now, shard)
		switch {
		case own == 0 && v.mustLoad(now, shard, above):
			o.load = append(o.load, shard)
		case own != 0 && v.redundant(now, shard, above) && v.beenLive[shard]:
			o.drop = append(o.drop, shard)
		}
		o.own[shard] = own == messages.Live && above.live == 0
	}
	for _, c := range mine { // the log has fewer shards now: nobody wants these
		if c.Shard >= shards {
			o.drop = append(o.drop, c.Shard)
		}
	}
	return o
}

// standing counts the nodes that rank higher than this one for a shard.
type standing struct {
	claiming int // claiming, or new
	idle     int // heard, not new, and not claiming
	live     int
}

func (v *view) above(now time.Duration, shard int) standing {
	var s standing
	for _, i := range v.table.Of(shard) {
		m := v.ranked[i]
		if m == v.self {
			break
		}
		c := m.claimOf(shard)
		switch {
		case c.state != 0 || !m.gone && now-m.arrived < v.rules.grace:
			s.claiming++
		case m.heard:
			s.idle++
		}
		if c.state == messages.Live {
			s.live++
		}
	}
	return s
}

// mustLoad reports whether this node has to load the shard.
func (v *view) mustLoad(now time.Duration, shard int, above standing) bool {
	if above.claiming >= v.replicas {
		v.lacking[shard] = never
		return false
	}
	if v.lacking[shard] == never {
		v.lacking[shard] = now
	}
	return now-v.lacking[shard] >= time.Duration(min(above.idle, 8))*2*v.rules.beat
}

// redundant reports whether enough higher nodes have been live for long enough.
func (v *view) redundant(now time.Duration, shard int, above standing) bool {
	if above.live < v.replicas {
		v.served[shard] = never
		return false
	}
	if v.served[shard] == never {
		v.served[shard] = now
	}
	return now-v.served[shard] >= v.rules.keep
}

// remember resizes what is kept per shard and updates it with this node's claims.
func (v *view) remember(shards int) {
	for len(v.lacking) < shards {
		v.lacking = append(v.lacking, never)
		v.served = append(v.served, never)
		v.beenLive = append(v.beenLive, false)
	}
	for shard := range v.lacking {
		switch v.self.claimOf(shard).state {
		case 0:
			v.beenLive[shard], v.served[shard] = false, never
		case messages.Live:
			v.beenLive[shard] = true
			fallthrough
		default:
			v.lacking[shard] = never
		}
	}
}

// others reports whether there is any other node.
func (v *view) others() bool {
	for _, m := range v.members {
		if m != v.self && m.roles.Has(NodeRole) {
			return true
		}
	}
	return false
}

// source returns the member to follow for a shard: the highest-ranked one that is heard to be live.
func (v *view) source(shard int) *member {
	for _, i := range v.table.Of(shard) {
		if m := v.ranked[i]; m != nil && m.claimOf(shard).state == messages.Live {
			return m
		}
	}
	return nil
}
