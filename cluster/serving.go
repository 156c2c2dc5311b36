package cluster

import (
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/messages"
)

// Serving is the state of a shard as gateways see it.
type Serving uint8

// The states of Serving.
const (
	// No heard node has it, or only one that was live on it before: the shown numbers get older.
	Unheard Serving = iota
	Loading         // a node is loading it
	Live            // a node is live on it
)

// String returns the state's name.
func (s Serving) String() string {
	switch s {
	case Live:
		return "live"
	case Loading:
		return "loading"
	}
	return "unheard"
}

// Status is what is heard about a shard.
type Status struct {
	Serving  Serving
	Source   link.Peer         // the node to follow, if live
	Position messages.Position // the source's position in its last beat
	Since    time.Time         // since when it has this state; if live, with this source
}

// served is the latest result of serve for a shard.
type served struct {
	serving Serving
	source  *member
	since   time.Duration
}

// serve finds the node to follow for every shard, and wakes those who wait for a change.
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
			s.since = was.since // nothing is newer than that, whichever node was followed meanwhile
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

// answers reports whether the member is in the view and heard, whatever it claims.
func (v *view) answers(m *member) bool {
	return m != nil && m.heard && v.members[m.peer.Name] == m
}

// loading reports whether some node is about to be live for the first time. A node that was live
// and is not any more is cut off from the log, or far behind it: that does not move the shard to
// another node.
func (v *view) loading(shard int) bool {
	for _, m := range v.ranked {
		if m == nil {
			continue
		}
		if c := m.claimOf(shard); c.state == messages.Loading && !c.beenLive {
			return true
		}
	}
	return false
}

// Source returns the node to follow for a shard: the highest-ranked one that is heard to be live.
// While none is live, it returns the last one that was, as long as that one is heard: a node that
// cannot reach its log still has its numbers, and Status says that they get older. It may be this
// process. ok is false if there is none.
func (l *Cluster) Source(shard int) (link.Peer, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if shard < 0 || shard >= len(l.served) || l.served[shard].source == nil {
		return link.Peer{}, false
	}
	return l.served[shard].source.peer, true
}

// Changed returns a channel that is closed when the source or the status of any shard changes; call
// Changed again for the next change. Call it before Source, or a change between the two calls is
// missed.
func (l *Cluster) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Status returns the state of a shard.
func (l *Cluster) Status(shard int) Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	if shard < 0 || shard >= len(l.served) {
		return Status{Since: l.started}
	}
	s := l.served[shard]
	r := Status{Serving: s.serving, Since: l.started.Add(s.since)}
	if s.serving == Live {
		r.Source, r.Position = s.source.peer, s.source.claimOf(shard).position
	}
	return r
}
