package cluster

import "time"

// past is what is remembered of a node over its incarnations.
type past struct {
	flaps   int // arrivals since it last stayed long
	arrived time.Duration
	left    time.Duration // never while it is there
}

// maxPast is how many nodes are remembered; beyond it those that left first are forgotten.
const maxPast = 1024

// arrival notes that a node came and tells until when this node would hold it back.
//
// Those who are there when this process starts aren't held: for the others it is this process that
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

// departure notes that an incarnation left.
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

// vote settles who is held: whom more than half of those who are heard hold back. Each has its own
// opinion, since each saw others come and go at other moments; a majority is what all can hear
// alike. And a node that lost sight of all others for a moment holds them, but they are the
// majority, and it is they who hold it.
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

// holding are the incarnations that this node would hold back.
func (v *view) holding(now time.Duration) []string {
	var names []string
	for name, m := range v.members {
		if m != v.self && now < m.heldUntil {
			names = append(names, name)
		}
	}
	return names
}
