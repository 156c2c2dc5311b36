package cluster

import (
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// orders are what a node does next with its shards.
type orders struct {
	load []int
	drop []int
	own  []bool // by shard: whether it acts for it
}

// decide says what to load, what to drop and what to own. It is a function of the view, of the
// claims that were heard and of this node's own, and of the time: the same at every call, so that
// it may be called as often as one likes, and nothing depends on an order having been followed.
//
//   - load when, of those that rank above, fewer than replicas claim the shard. A newcomer counts
//     as claiming until it had time to. One above that is heard and doesn't claim gets two beats to
//     begin, so that not all begin at once;
//   - drop when, for keep without a break, replicas stood above and were live. Both must have held
//     for so long: where ranks were just turned over, the one that is now above may have dropped a
//     moment ago, and its last beat doesn't say so yet. A load once begun is finished;
//   - own when live, and nobody above is heard to be live.
func (v *view) decide(now time.Duration, shards int, mine []messages.Claim) orders {
	v.rank(now, shards)
	v.self.say(now, mine)
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
	if now < v.deafUntil && v.others() {
		for shard := range v.served {
			v.served[shard] = never
		}
		return o
	}
	for shard := range shards {
		own := v.self.says(shard).state
		above := v.above(now, shard)
		switch {
		case own == 0 && v.lacks(now, shard, above):
			o.load = append(o.load, shard)
		case own != 0 && v.kept(now, shard, above) && v.beenLive[shard]:
			o.drop = append(o.drop, shard)
		}
		o.own[shard] = own == messages.Live && above.live == 0
	}
	for _, c := range mine { // the log shrank: nobody asks for these
		if c.Shard >= shards {
			o.drop = append(o.drop, c.Shard)
		}
	}
	return o
}

// standing counts those that rank above this node for a shard.
type standing struct {
	claiming int // or new
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
		c := m.says(shard)
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

// lacks reports whether it is this node that has to load the shard.
func (v *view) lacks(now time.Duration, shard int, above standing) bool {
	if above.claiming >= v.replicas {
		v.lacking[shard] = never
		return false
	}
	if v.lacking[shard] == never {
		v.lacking[shard] = now
	}
	return now-v.lacking[shard] >= time.Duration(min(above.idle, 8))*2*v.rules.beat
}

// kept reports whether enough others have stood above and been live for long enough.
func (v *view) kept(now time.Duration, shard int, above standing) bool {
	if above.live < v.replicas {
		v.served[shard] = never
		return false
	}
	if v.served[shard] == never {
		v.served[shard] = now
	}
	return now-v.served[shard] >= v.rules.keep
}

// remember keeps what is known by shard in step with the shards there are and with what this node
// has of them.
func (v *view) remember(shards int) {
	for len(v.lacking) < shards {
		v.lacking = append(v.lacking, never)
		v.served = append(v.served, never)
		v.beenLive = append(v.beenLive, false)
	}
	for shard := range v.lacking {
		switch v.self.says(shard).state {
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

// others reports whether there is any node but this one.
func (v *view) others() bool {
	for _, m := range v.members {
		if m != v.self && m.roles.Has(NodeRole) {
			return true
		}
	}
	return false
}

// source is whom to follow for a shard: the highest-ranked member that is heard to be live.
func (v *view) source(shard int) *member {
	for _, i := range v.table.Of(shard) {
		if m := v.ranked[i]; m != nil && m.says(shard).state == messages.Live {
			return m
		}
	}
	return nil
}
