package cluster

import (
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/messages"
)

// Serving is how a shard stands.
type Serving uint8

// The ways.
const (
	// nobody is heard that has it, or only who was live on it before: what is shown ages
	Unheard Serving = iota
	Loading         // somebody else loads it
	Live            // somebody is live on it
)

// String names how a shard stands.
func (s Serving) String() string {
	switch s {
	case Live:
		return "live"
	case Loading:
		return "loading"
	}
	return "unheard"
}

// Status is what is heard of a shard.
type Status struct {
	Serving  Serving
	Source   link.Peer         // whom to follow, where it is live
	Position messages.Position // of the source, by its last beat
	Since    time.Time         // it stands so; where it is live, with this source
}

// served is what serve found last.
type served struct {
	serving Serving
	source  *member
	since   time.Duration
}

// serve finds whom to follow for every shard, and wakes those who wait for a change.
func (l *Cluster) serve(now time.Duration, shards int) {
	changed := false
	for len(l.served) < shards {
		l.served = append(l.served, served{since: now})
	}
	l.served = l.served[:max(shards, 0)]
	for shard := range l.served {
		was := l.served[shard]
		s := served{since: now, source: l.view.source(shard)}
		switch {
		case s.source != nil:
			s.serving = Live
		case l.view.loading(shard):
			s.serving = Loading
		}
		if s.source == nil && l.view.answers(was.source) {
			s.source = was.source
		}
		if s.serving != Live && s.serving == was.serving {
			s.since = was.since // whoever was followed meanwhile, nothing is newer than then
		}
		if was.serving != s.serving || was.source != s.source {
			l.served[shard], changed = s, true
		}
	}
	if changed {
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

// answers reports whether the member is there and heard, whatever it claims.
func (v *view) answers(m *member) bool {
	return m != nil && m.heard && v.members[m.peer.Name] == m
}

// loading reports whether anybody is on the way to be live for the first time. Who was live and is
// no more is cut off from the log, or far behind it: nothing moves to another node by that.
func (v *view) loading(shard int) bool {
	for _, m := range v.ranked {
		if m == nil {
			continue
		}
		if c := m.says(shard); c.state == messages.Loading && !c.beenLive {
			return true
		}
	}
	return false
}

// Source is whom to follow for a shard: the highest-ranked node that is heard to be live. While
// nobody is, it is who was last, as long as it is heard: a node that its log can't reach still
// knows what it knew, and Status says that it ages. It may be this process. False while there is
// nobody.
func (l *Cluster) Source(shard int) (link.Peer, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if shard < 0 || shard >= len(l.served) || l.served[shard].source == nil {
		return link.Peer{}, false
	}
	return l.served[shard].source.peer, true
}

// Changed is closed when the source or the status of any shard changes; then ask for the next one.
// Take it before Source, or a change between the two is missed.
func (l *Cluster) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Status is how a shard stands.
func (l *Cluster) Status(shard int) Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	if shard < 0 || shard >= len(l.served) {
		return Status{Since: l.started}
	}
	s := l.served[shard]
	r := Status{Serving: s.serving, Since: l.started.Add(s.since)}
	if s.serving == Live {
		r.Source, r.Position = s.source.peer, s.source.says(shard).position
	}
	return r
}
