package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/messages"
)

// pair is this node's view of itself and one other node, and a shard for which the other ranks
// higher.
type pair struct {
	*view
	t      *testing.T
	other  string
	shard  int
	number uint64
}

const start = time.Minute // long after this node joined

func newPair(t *testing.T, arrived time.Duration) *pair {
	p := &pair{view: newView(sighting{peer: link.Peer{Name: "me~1", Address: "me:1"}, roles: NodeRole, weight: 1}, 1, standardRules()), t: t, other: "other~1"}
	p.join(0)
	p.look(start)
	p.listenUntil = 0
	p.see(start, []sighting{{peer: link.Peer{Name: p.other, Address: "other:1"}, roles: NodeRole, weight: 1}})
	p.members[p.other].arrived, p.members[p.other].heldUntil = arrived, 0
	p.rank(start, 64)
	for p.ranked[p.table.Of(p.shard)[0]] == p.self {
		p.shard++
	}
	return p
}

// says makes the other node beat; state 0 claims nothing.
func (p *pair) says(now time.Duration, state messages.ClaimState) {
	p.number++
	b := heardBeat{number: p.number}
	if state != 0 {
		b.claims = []messages.Claim{{Shard: p.shard, State: state}}
	}
	p.hear(now, p.other, b)
}

// decides returns the decision about the shard, for which this node claims the given state.
func (p *pair) decides(now time.Duration, own messages.ClaimState) (load, drop, owns bool) {
	p.look(now)
	var mine []messages.Claim
	if own != 0 {
		mine = []messages.Claim{{Shard: p.shard, State: own}}
	}
	o := p.decide(now, 64, mine)
	return slices.Contains(o.load, p.shard), slices.Contains(o.drop, p.shard), o.own[p.shard]
}

func (p *pair) want(what string, now time.Duration, own messages.ClaimState, load, drop, owns bool) {
	p.t.Helper()
	l, d, o := p.decides(now, own)
	if l != load || d != drop || o != owns {
		p.t.Errorf("%s: load %v, drop %v, own %v; want %v, %v, %v", what, l, d, o, load, drop, owns)
	}
}

func TestANewcomerCountsAsClaiming(t *testing.T) {
	p := newPair(t, start-time.Second)
	p.want("after a second", start, 0, false, false, false)
	p.says(start, 0)
	p.want("heard, and claiming nothing", start, 0, false, false, false)
	p.lose(p.other)
	p.want("heard, and lost again", start, 0, true, false, false)
	p = newPair(t, start-5*time.Second)
	p.want("after five seconds", start, 0, true, false, false)
}

func TestOneThatIsHeardGetsTwoBeatsToBegin(t *testing.T) {
	p := newPair(t, 0)
	p.says(start, messages.Live)
	p.want("it serves", start, 0, false, false, false)
	p.says(start+1, 0)
	p.want("it lost the shard", start+1, 0, false, false, false)
	p.says(start+250*ms, 0)
	p.want("a beat later", start+250*ms, 0, false, false, false)
	p.says(start+500*ms, 0)
	p.want("two beats later", start+501*ms, 0, true, false, false)
	p.says(start+510*ms, messages.Loading)
	p.want("it loads", start+510*ms, 0, false, false, false)
	p.lose(p.other)
	p.want("its connection broke", start+520*ms, 0, true, false, false)
}

func TestAfterAPauseNothingIsConcludedFromSilence(t *testing.T) {
	p := newPair(t, 0)
	p.says(start, messages.Live)
	p.want("a standby", start, messages.Live, false, false, false)
	now := start + 10*time.Second
	p.want("it continues after 10 s", now, messages.Live, false, false, false)
	p.want("and has nothing", now+ms, 0, false, false, false)
	for range 4 {
		now += 250 * ms
		p.says(now, messages.Live)
		p.want("it listens", now, messages.Live, false, false, false)
	}
	p.lose(p.other)
	p.want("the other breaks", now, messages.Live, false, false, true)
	now += 10 * time.Second
	p.see(now, nil)
	p.want("a pause, and nobody else is there", now, messages.Live, false, false, true)
}

func TestADropComesFiveSecondsAfterAnotherServes(t *testing.T) {
	p := newPair(t, 0)
	now := start
	for range 24 {
		p.says(now, messages.Live)
		p.want("a load is finished first", now, messages.Loading, false, false, false)
		now += 250 * ms
	}
	p.says(now, messages.Live)
	p.want("then dropped", now, messages.Live, false, true, false)

	p = newPair(t, 0)
	for now = start; now < start+5*time.Second; now += 250 * ms {
		p.says(now, messages.Live)
		p.want("not before five seconds", now, messages.Live, false, false, false)
	}
	p.says(now, messages.Loading)
	p.want("a break", now, messages.Live, false, false, true)
	p.says(now+250*ms, messages.Live)
	p.want("begins again", now+250*ms, messages.Live, false, false, false)
}

func TestThreeSilentBeatsEndAClaim(t *testing.T) {
	p := newPair(t, 0)
	p.says(start, messages.Live)
	for d := time.Duration(0); d <= 850*ms; d += 50 * ms {
		p.want("not yet", start+d, messages.Live, false, false, false)
	}
	p.want("silent", start+900*ms, messages.Live, false, false, true)
}

func TestShardsThatNoLongerExistAreDropped(t *testing.T) {
	p := newPair(t, 0)
	o := p.decide(start, 4, []messages.Claim{{Shard: 9, State: messages.Live}})
	if !slices.Equal(o.drop, []int{9}) {
		t.Errorf("drops %v", o.drop)
	}
}

func TestTheOlderStartDropsEverything(t *testing.T) {
	p := newPair(t, 0)
	later := []sighting{{peer: link.Peer{Name: "me~2", Address: "elsewhere:1"}, roles: NodeRole}}
	now := start
	for ; now < start+p.rules.contest; now += 250 * ms {
		p.see(now, later)
		p.want("a later start of this node that may be dead", now, messages.Live, false, false, true)
	}
	p.see(now, later)
	p.want("a later start of this node that stays", now, messages.Live, false, true, false)
	p.see(now+ms, nil)
	p.want("it is gone", now+ms, messages.Live, false, false, true)
	p.see(now+2*ms, later)
	p.want("it is back, or an old message about it", now+2*ms, messages.Live, false, false, true)
}

// A node that is cut off from the log claims loading, as one that has just begun does: only the
// latter will be live soon.
func TestANodeThatWasLiveDoesNotCountAsLoading(t *testing.T) {
	p := newPair(t, 0)
	for _, step := range []struct {
		other, own messages.ClaimState
		loading    bool
	}{
		{messages.Loading, 0, true},
		{messages.Live, 0, false},
		{messages.Loading, 0, false},                // both cut off from the log,
		{messages.Loading, messages.Loading, true},  // and one that begins
		{messages.Loading, messages.Live, false},    //
		{messages.Loading, messages.Loading, false}, //
		{0, messages.Loading, false},                // dropped,
		{messages.Loading, messages.Loading, true},  // and loaded again
	} {
		p.says(start, step.other)
		p.decides(start, step.own)
		if got := p.loading(p.shard); got != step.loading {
			t.Errorf("the other says %s, this one %s: loading is %t", step.other, step.own, got)
		}
	}
}
