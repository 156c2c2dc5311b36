package cluster

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/cluster/placement"
	"github.com/dashfeed/dashfeed/messages"
)

// MaxShards is the greatest number of shards in a cluster.
const MaxShards = 1 << 16

// view is what this process knows about the cluster. It has no clock, lock or goroutine: the time
// since this process started is an argument.
type view struct {
	rules    rules
	replicas int
	self     *member
	members  map[string]*member // by incarnation
	past     map[string]*past   // by node
	left     []leaver           // members that left and have not come back, oldest first
	// a later start of this node that has stayed: while it is there, this process serves nothing
	newer *sighting
	// since when gossip has named a later start of this node without interruption, or never
	rivalled time.Duration

	joining  bool          // it has not found the others yet, and decides nothing
	newUntil time.Duration // until then it is this process that is new, not the members it sees
	// until then it has not listened long enough to conclude anything from silence
	listenUntil time.Duration
	lastLook    time.Duration
	drainedAt   time.Duration // when it began to drain

	placed []placement.Member // what table was made from
	shards int
	table  *placement.Table
	ranked []*member // by the index in table.Members

	lacking  []time.Duration // by shard: since when too few higher nodes claim it, or never
	served   []time.Duration // by shard: since when enough higher nodes are live on it, or never
	beenLive []bool          // by shard: this node has been live on it since it loaded it
}

const never = time.Duration(-1)

// rules are the durations of the decision.
type rules struct {
	beat time.Duration // between two beats
	// without a beat for this long a member counts as silent: three beats, and half of one for
	// transport
	silent time.Duration
	grace  time.Duration // a member that is newer than this counts as claiming
	// others must have ranked higher and been live this long before this node drops
	keep time.Duration
	// after the start, or a pause of the process, nothing is concluded from silence for this long
	settle time.Duration
	// a new member ranks behind those that stayed for this long, doubled with each flap,
	hold    time.Duration
	maxHold time.Duration // up to this long
	forgive time.Duration // a member that stayed this long has its flaps forgotten
	// a later start of this node that stays this long is not dead: gossip would have noticed by
	// then
	contest time.Duration
}

func standardRules() rules {
	const beat = 250 * time.Millisecond
	return rules{
		beat: beat, silent: 3*beat + beat/2, grace: 5 * time.Second, keep: 5 * time.Second, settle: 4 * beat,
		hold: 2 * time.Second, maxHold: 64 * time.Second, forgive: 5 * time.Minute, contest: 5 * time.Second,
	}
}

func newView(self sighting, replicas int, r rules) *view {
	v := &view{rules: r, replicas: replicas, members: map[string]*member{}, past: map[string]*past{}, rivalled: never}
	v.self = &member{sighting: self, heard: true}
	v.members[self.peer.Name] = v.self
	v.joining = true
	return v
}

// join ends joining: the others are found, or there are none.
func (v *view) join(now time.Duration) {
	v.joining = false
	v.listenUntil = now + v.rules.settle
	v.newUntil = now + 2*v.rules.settle
}

// see updates the members from what gossip says. It reports whether the view changed.
func (v *view) see(now time.Duration, all []sighting) (changed bool) {
	all = v.onePerNode(v.rivals(now, all))
	there := map[string]bool{v.self.peer.Name: true}
	for _, s := range all {
		there[s.peer.Name] = true
	}
	// Remove before adding: a member that came may be the next start of one that left.
	for name, m := range v.members {
		if !there[name] {
			changed = true
			delete(v.members, name)
			v.departure(now, m)
			v.rememberLeft(now, m)
		}
	}
	for _, s := range all {
		name := s.peer.Name
		if m := v.members[name]; m != nil {
			changed = changed || m.sighting != s
			m.sighting = s
			continue
		}
		changed = true
		v.left = slices.DeleteFunc(v.left, func(l leaver) bool { return l.peer.Node() == s.peer.Node() })
		v.members[name] = &member{sighting: s, arrived: now, heldUntil: v.arrival(now, s.peer.Node())}
	}
	return changed
}

// rivals returns the members other than this process and other starts of its node or address, and
// decides whether such a start has taken this process's place. Two that run can only be told apart
// by their clocks: the later one stays. But clocks are set back, and what gossip names may be dead,
// or an old message. So a later start counts only when it has stayed longer than dead ones do, and
// only while it stays.
func (v *view) rivals(now time.Duration, all []sighting) (others []sighting) {
	var latest *sighting
	born := link.Started(v.self.peer.Name)
	for _, s := range all {
		switch {
		case s.peer.Name == v.self.peer.Name:
		case s.peer.Node() != v.self.peer.Node() && s.peer.Address != v.self.peer.Address:
			others = append(others, s)
		case link.Started(s.peer.Name).After(born) && (latest == nil || link.Started(s.peer.Name).After(link.Started(latest.peer.Name))):
			latest = &s
		}
	}
	switch {
	case latest == nil:
		v.rivalled, v.newer = never, nil
	case v.rivalled == never:
		v.rivalled = now
	case now-v.rivalled >= v.rules.contest:
		v.newer = latest
	}
	return others
}

// onePerNode keeps one incarnation per node and per address. Gossip may name dead ones for a while,
// and a process that was paused may come back after another has taken its place. A member that is
// heard is there, and one whose connection broke is not. Only if that decides nothing does the one
// count that started last by its own clock.
func (v *view) onePerNode(all []sighting) (left []sighting) {
	slices.SortFunc(all, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(v.trust(b), v.trust(a)), link.Started(b.peer.Name).Compare(link.Started(a.peer.Name)), strings.Compare(a.peer.Name, b.peer.Name))
	})
	nodes, addresses := map[string]bool{}, map[string]bool{}
	for _, s := range all {
		if nodes[s.peer.Node()] || addresses[s.peer.Address] {
			continue
		}
		nodes[s.peer.Node()], addresses[s.peer.Address] = true, true
		left = append(left, s)
	}
	return left
}

// trust orders incarnations by what this process itself knows about them, from highest to lowest: a
// beat came recently; had no time for a beat yet; never met; fell silent.
func (v *view) trust(s sighting) int {
	switch m := v.members[s.peer.Name]; {
	case m == nil:
		return 1
	case m.heard:
		return 3
	case !m.gone:
		return 2
	}
	return 0
}

// heardBeat is a decoded beat.
type heardBeat struct {
	number   uint64
	draining bool
	claims   []messages.Claim
	held     []string
	drain    []string
}

// hear processes a beat. It reports whether the beat contains anything new; a beat from an unknown
// member, or a late one, does not.
func (v *view) hear(now time.Duration, from string, b heardBeat) (changed bool) {
	m := v.members[from]
	if m == nil || m == v.self || b.number <= m.number {
		return false
	}
	changed = !m.heard || m.draining != b.draining || len(m.holds) != len(b.held)
	m.heard, m.gone, m.heardAt, m.number, m.draining = true, false, now, b.number, b.draining
	m.holds = map[string]bool{}
	for _, name := range b.held {
		m.holds[name] = true
	}
	return m.setClaims(now, b.claims) || changed
}

// lose ends what was heard from a peer whose connection broke. It reports whether there was
// anything.
func (v *view) lose(name string) bool {
	m := v.members[name]
	if m == nil || m == v.self || !m.heard {
		return false
	}
	m.silence()
	return true
}

// look marks members as silent whose beats stopped; after a pause of this process it concludes
// nothing from silence for a while. It reports whether a member fell silent.
func (v *view) look(now time.Duration) (changed bool) {
	if now-v.lastLook > v.rules.silent {
		v.listenUntil = max(v.listenUntil, now+v.rules.settle)
	}
	v.lastLook = now
	for _, m := range v.members {
		if m != v.self && m.heard && now-m.heardAt > v.rules.silent {
			m.silence()
			changed = true
		}
	}
	return changed
}

// rank computes the table again if its input changed.
func (v *view) rank(now time.Duration, shards int) {
	if members, ok := v.unranked(now, shards); ok {
		v.use(members, shards, placement.Rank(members, shards))
	}
	byNode := map[string]*member{}
	for _, m := range v.members {
		byNode[m.peer.Node()] = m
	}
	v.ranked = v.ranked[:0]
	for _, p := range v.table.Members {
		v.ranked = append(v.ranked, byNode[p.Name])
	}
}

// unranked returns the input of the next table, ordered by name. It reports false if the table at
// hand was made from the same input. Draining members rank last, and before them those that are
// held back.
func (v *view) unranked(now time.Duration, shards int) ([]placement.Member, bool) {
	v.vote(now)
	var members []placement.Member
	for _, m := range v.members {
		if !m.roles.Has(NodeRole) {
			continue
		}
		tier := placement.Settled
		switch {
		case m.leaving():
			tier = placement.Draining
		case m.held:
			tier = placement.Held
		}
		members = append(members, placement.Member{Name: m.peer.Node(), Weight: m.weight, Tier: tier})
	}
	slices.SortFunc(members, func(a, b placement.Member) int { return strings.Compare(a.Name, b.Name) })
	return members, v.table == nil || v.shards != shards || !slices.Equal(members, v.placed)
}

// use takes a table that was made from that input.
func (v *view) use(members []placement.Member, shards int, table *placement.Table) {
	v.placed, v.shards, v.table = members, shards, table
}
