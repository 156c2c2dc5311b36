package placement

import "container/heap"

// share assigns to every shard a member of the lowest tier, other than the one in taken, and to no
// member more shards than its bound. It returns -1 for a shard without a possible member; such a
// shard keeps its order.
func (d *draws) share(taken []int32) []int32 {
	chosen := make([]int32, d.shards)
	next := make([]int, d.shards) // the member that the shard asks next, as an index into its order
	full := make([]slots, d.members)
	for i, bound := range d.bounds() {
		full[i] = slots{member: i, draws: d, bound: bound}
	}
	for s := range d.shards {
		// A shard that was sent away asks the next member and may displace another shard. This
		// chain ends, because no shard asks a member twice.
		for asking := s; asking >= 0; {
			asking = d.ask(asking, taken, chosen, next, full)
		}
	}
	return chosen
}

// ask finds a slot for one shard and returns the shard that it displaced, or -1.
func (d *draws) ask(s int, taken, chosen []int32, next []int, full []slots) int {
	order := d.order[s*d.members:]
	for next[s] < d.sharing {
		m := int(order[next[s]])
		next[s]++
		if taken != nil && taken[s] == int32(m) {
			continue
		}
		lost := full[m].take(s)
		if lost == s {
			continue
		}
		chosen[s] = int32(m)
		return lost
	}
	chosen[s] = -1
	return -1
}

// bounds returns how many shards each member may get.
func (d *draws) bounds() []int {
	lowest, sum := Draining, 0
	for _, m := range d.all {
		lowest = min(lowest, m.Tier)
	}
	for _, m := range d.all {
		if m.Tier == lowest {
			sum += max(m.Weight, 1)
		}
	}
	bounds := make([]int, d.members)
	for i, m := range d.all {
		if m.Tier == lowest {
			w := max(m.Weight, 1)
			// Computed in integers, for the same reason as price. Rounded up to the share, because
			// otherwise the shards might not all fit.
			bounds[i] = max(d.shards*w*11/(sum*10), (d.shards*w+sum-1)/sum)
		}
	}
	return bounds
}

// slots holds the shards of a member, the most expensive on top.
type slots struct {
	draws  *draws
	member int
	bound  int
	shards []int
}

// take gives a shard a slot. It returns the shard that has to leave: another, the same, or -1.
func (s *slots) take(shard int) int {
	if s.bound == 0 {
		return shard
	}
	heap.Push(s, shard)
	if len(s.shards) <= s.bound {
		return -1
	}
	return heap.Pop(s).(int)
}

func (s *slots) Len() int      { return len(s.shards) }
func (s *slots) Swap(i, j int) { s.shards[i], s.shards[j] = s.shards[j], s.shards[i] }
func (s *slots) Push(x any)    { s.shards = append(s.shards, x.(int)) }

// Less implements heap.Interface: the most expensive first; on a tie the higher shard.
func (s *slots) Less(i, j int) bool {
	a, b := s.shards[i], s.shards[j]
	pa, pb := s.draws.prices[a*s.draws.members+s.member], s.draws.prices[b*s.draws.members+s.member]
	if pa != pb {
		return pa > pb
	}
	return a > b
}

// Pop implements heap.Interface.
func (s *slots) Pop() any {
	last := s.shards[len(s.shards)-1]
	s.shards = s.shards[:len(s.shards)-1]
	return last
}
