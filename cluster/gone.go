package cluster

import "time"

// leaver is a member that is gone, for people to see. Nothing is decided by it.
type leaver struct {
	sighting
	at time.Duration
}

const (
	maxGone = 32        // so many are remembered,
	goneFor = time.Hour // for so long, or until they come back
)

// bury remembers a member that has left the view.
func (v *view) bury(now time.Duration, m *member) {
	if len(v.left) == maxGone {
		v.left = append(v.left[:0], v.left[1:]...)
	}
	v.left = append(v.left, leaver{m.sighting, now})
}

// Gone are the members that left or died lately and have not come back. Since says when this
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
