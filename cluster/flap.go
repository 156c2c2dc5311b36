package cluster

import "time"

// past is what is remembered about a node over its incarnations.
type past struct {
	flaps   int // arrivals since its last long stay
	arrived time.Duration
	left    time.Duration // `never` while it is there
}

// maxPast is how many nodes are remembered; beyond it those that left first are forgotten.
const maxPast = 1024

// arrival records that a node came, and returns until when this node would hold it back.
//
// Nodes that are there when this process starts are not held back: for them it is this process that
// came.
func (v *view) arrival(now time.Duration, node string) (heldUntil time.Duration) {
	p := v.past[node]
	if p == nil {
		v.forget()
		p = &past{flaps: -1}
		v.past[node] = p
	}
	p.flaps++
	p.arrived, p.left = now, never
	if v.joining || now < v.newUntil {
		return now
	}
	return now + min(v.rules.hold<<min(p.flaps, 10), v.rules.maxHold)
}

// departure records that an incarnation left.
func (v *view) departure(now time.Duration, m *member) {
	p := v.past[m.peer.Node()]
	if p == nil || p.left != never {
		return
	}
	p.left = now
	if now-p.arrived > v.rules.forgive {
		p.flaps = -1
	}
}

func (v *view) forget() {
	if len(v.past) < maxPast {
		return
	}
	oldest := ""
	for node, p := range v.past {
		if p.left == never {
			continue
		}
		if o := v.past[oldest]; o == nil || p.left < o.left {
			oldest = node
		}
	}
	delete(v.past, oldest)
}

// vote decides who is held back: the members that more than half of those who are heard hold back.
// Each member has its own opinion, because each saw others come and go at different moments; a
// majority is something that all hear alike. A node that lost sight of all others for a moment
// would hold them back, but they are the majority, and they hold it back.
func (v *view) vote(now time.Duration) {
	for name, m := range v.members {
		votes, voters := 0, 0
		for _, o := range v.members {
			if o == m || !o.heard || !o.roles.Has(NodeRole) {
				continue
			}
			voters++
			if o == v.self && now < m.heldUntil || o.holds[name] {
				votes++
			}
		}
		m.held = 2*votes > voters
	}
}

// holding returns the incarnations that this node would hold back.
func (v *view) holding(now time.Duration) []string {
	var names []string
	for name, m := range v.members {
		if m != v.self && now < m.heldUntil {
			names = append(names, name)
		}
	}
	return names
}
