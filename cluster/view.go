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

// MaxShards is how many shards a cluster has at most.
const MaxShards = 1 << 16

// view is what this process knows of the cluster. It has no clock, lock or goroutine: time comes as
// an argument, since this process started.
type view struct {
	rules    rules
	replicas int
	self     *member
	members  map[string]*member // by incarnation
	past     map[string]*past   // by node
	left     []leaver           // the last ones that went and have not come back, oldest first
	// a later start of this node has stayed: while it does, this process serves nothing
	newer    *sighting
	rivalled time.Duration // since when gossip names a later start of this node without a break; never

	joining  bool          // it hasn't found the others yet: it decides nothing
	newUntil time.Duration // until then it is this process that came, and not those it sees
	// until then it hasn't listened long enough to conclude anything from silence
	deafUntil time.Duration
	lastLook  time.Duration
	drainedAt time.Duration // it began to drain

	placed []placement.Member // what table was made of
	shards int
	table  *placement.Table
	ranked []*member // by the index of table.Members

	lacking  []time.Duration // by shard: since when too few above claim it; never
	served   []time.Duration // by shard: since when enough above are live on it; never
	beenLive []bool          // by shard: this node was live on it since it loaded it
}

const never = time.Duration(-1)

// rules are the durations of the decision.
type rules struct {
	beat   time.Duration // between two beats
	silent time.Duration // without a beat ends what was heard: three, and half a one for the way
	grace  time.Duration // a member so new counts as claiming
	keep   time.Duration // others above must have been live so long before this node drops
	settle time.Duration // after the start, or a pause of the process, that long nothing is concluded
	// a newcomer ranks behind those who stayed for so long, doubled with each flap,
	hold    time.Duration
	maxHold time.Duration // up to this
	forgive time.Duration // a member that stayed so long has a clean past
	// a later start of this node that stays so long is no dead one: gossip has found those by then
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
	v.deafUntil = now + v.rules.settle
	v.newUntil = now + 2*v.rules.settle
}

// see takes over what gossip says who is there, this process or not. It reports whether the view is
// another than before.
func (v *view) see(now time.Duration, all []sighting) (changed bool) {
	all = v.one(v.rivals(now, all))
	there := map[string]bool{v.self.peer.Name: true}
	for _, s := range all {
		there[s.peer.Name] = true
	}
	// before those that came: one of them may be the same node's next start
	for name, m := range v.members {
		if !there[name] {
			changed = true
			delete(v.members, name)
			v.departure(now, m)
			v.bury(now, m)
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

// rivals leaves those that are neither this process nor another start of its node or at its
// address, and decides whether such a one has taken its place. Two that run can only be told apart
// by their clocks: the later one stays. But clocks are set back, and what gossip names may be dead,
// or an old message: a later start counts when it has stayed for longer than the dead do, and only
// while it stays.
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

// one leaves one of several incarnations of a node, or at one address. Gossip may know the dead for
// a while, and a process that was paused may come back when another has taken its place. Who is
// heard is there, and whose connection broke is not; only where that decides nothing is it the one
// that started last, by its own clock.
func (v *view) one(all []sighting) (left []sighting) {
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

// trust orders incarnations by what this process knows of them itself: a beat that came lately, a
// member that had no time for one, one never met, a member that fell silent.
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

// heardBeat is a beat, decoded.
type heardBeat struct {
	number   uint64
	draining bool
	claims   []messages.Claim
	held     []string
	drain    []string
}

// hear takes a beat. It reports whether it says anything new; one of a stranger, or one that comes
// late, says nothing.
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
	return m.say(now, b.claims) || changed
}

// lose ends what was heard of a peer whose connection broke. It reports whether there was anything.
func (v *view) lose(name string) bool {
	m := v.members[name]
	if m == nil || m == v.self || !m.heard {
		return false
	}
	m.silence()
	return true
}

// look lets time pass: the silent are silent, and after a pause of this process nobody is heard.
func (v *view) look(now time.Duration) (changed bool) {
	if now-v.lastLook > v.rules.silent {
		v.deafUntil = max(v.deafUntil, now+v.rules.settle)
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

// rank makes the table anew if it would be another. Draining members rank last, and before them
// those that are held.
func (v *view) rank(now time.Duration, shards int) {
	v.vote(now)
	var placed []placement.Member
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
		placed = append(placed, placement.Member{Name: m.peer.Node(), Weight: m.weight, Tier: tier})
	}
	slices.SortFunc(placed, func(a, b placement.Member) int { return strings.Compare(a.Name, b.Name) })
	if v.table == nil || v.shards != shards || !slices.Equal(placed, v.placed) {
		v.placed, v.shards = placed, shards
		v.table = placement.Rank(placed, shards)
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
