package cluster

import "time"

// leaver is a member that is gone. It is only shown to people and decides nothing.
type leaver struct {
	sighting
	at time.Duration
}

const (
	maxGone = 32        // how many are remembered
	goneFor = time.Hour // how long they are remembered, unless they come back
)

// rememberLeft remembers a member that has left the view.
func (v *view) rememberLeft(now time.Duration, m *member) {
	if len(v.left) == maxGone {
		v.left = append(v.left[:0], v.left[1:]...)
	}
	v.left = append(v.left, leaver{m.sighting, now})
}

// Gone returns the members that left or died recently and have not come back. Since is when this
// process found out.
func (l *Cluster) Gone() (all []Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.view.left {
		if l.now()-g.at > goneFor {
			continue
		}
		all = append(all, Member{
			Name: g.peer.Name, Node: g.peer.Node(), Link: g.peer.Address, Gossip: g.gossip, Roles: g.roles.String(),
			Weight: g.weight, Since: l.started.Add(g.at),
		})
	}
	return all
}
