package placement

import (
	"cmp"
	"slices"
	"strings"
)

// MaxLoad limits how many shards a member may be first for, as a multiple of its weighted share.
const MaxLoad = 1.1

// MaxMembers is the greatest number of members in a table.
const MaxMembers = 1 << 16

// Tier orders members before the numbers that they draw.
type Tier uint8

// The tiers.
const (
	Settled  Tier = iota // takes part normally
	Held                 // came, or came back, a moment ago: ranks behind those that stayed
	Draining             // wants to leave: ranks last
)

// String returns the tier's name.
func (t Tier) String() string {
	switch t {
	case Settled:
		return "settled"
	case Held:
		return "held"
	case Draining:
		return "draining"
	}
	return "unknown"
}

// Member is a node that can serve shards.
type Member struct {
	Name   string // the same over restarts, so that a node that comes back gets its shards again
	Weight int    // its share relative to the others; below 1 counts as 1
	Tier   Tier
}

// Table ranks the members for every shard. It is immutable.
type Table struct {
	Members []Member // ordered by name
	ranks   []uint16 // len(Members) entries per shard
}

// Rank ranks the members for the shards 0 to shards-1. If several members have one name, the first
// counts; beyond MaxMembers the last ones by name are left out.
func Rank(members []Member, shards int) *Table {
	t := &Table{Members: slices.Clone(members)}
	slices.SortStableFunc(t.Members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	t.Members = slices.CompactFunc(t.Members, func(a, b Member) bool { return a.Name == b.Name })
	t.Members = t.Members[:min(len(t.Members), MaxMembers)]
	if len(t.Members) == 0 || shards <= 0 {
		return t
	}
	t.ranks = make([]uint16, shards*len(t.Members))
	d := newDraws(t.Members, shards)
	for s := range shards {
		copy(t.Of(s), d.order[s*d.members:])
	}
	first := d.share(nil)
	d.promote(t, first, 0)
	d.promote(t, d.share(first), 1)
	return t
}

// Shards returns the number of ranked shards.
func (t *Table) Shards() int {
	if len(t.Members) == 0 {
		return 0
	}
	return len(t.ranks) / len(t.Members)
}

// Of returns the ranking of a shard, best first, as indices into Members; nil for a shard that is
// not ranked.
func (t *Table) Of(shard int) []uint16 {
	n := len(t.Members)
	if shard < 0 || (shard+1)*n > len(t.ranks) {
		return nil
	}
	return t.ranks[shard*n : (shard+1)*n : (shard+1)*n]
}

// draws holds the numbers that the members drew.
type draws struct {
	all     []Member
	members int
	shards  int
	sharing int      // number of members of the lowest tier: the first in every order
	prices  []uint64 // one entry per member and shard
	order   []uint16 // ordered by tier, then price
}

func newDraws(members []Member, shards int) *draws {
	n := len(members)
	d := &draws{all: members, members: n, shards: shards, prices: make([]uint64, n*shards), order: make([]uint16, n*shards)}
	seeds := make([]uint64, n)
	lowest := members[0].Tier
	for i, m := range members {
		seeds[i] = seed(m.Name)
		lowest = min(lowest, m.Tier)
	}
	for _, m := range members {
		if m.Tier == lowest {
			d.sharing++
		}
	}
	for s := range shards {
		prices, order := d.prices[s*n:(s+1)*n], d.order[s*n:(s+1)*n]
		for i, m := range members {
			prices[i] = price(draw(seeds[i], s), max(m.Weight, 1))
			order[i] = uint16(i)
		}
		slices.SortFunc(order, func(a, b uint16) int {
			return cmp.Or(cmp.Compare(members[a].Tier, members[b].Tier), cmp.Compare(prices[a], prices[b]), cmp.Compare(a, b))
		})
	}
	return d
}

// promote moves each shard's chosen member to a rank; the members that it passes move one down.
func (d *draws) promote(t *Table, chosen []int32, rank int) {
	for s, m := range chosen {
		if m < 0 {
			continue
		}
		r := t.Of(s)
		at := slices.Index(r, uint16(m))
		copy(r[rank+1:at+1], r[rank:at])
		r[rank] = uint16(m)
	}
}
