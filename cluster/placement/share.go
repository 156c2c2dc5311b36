package placement

import "container/heap"

// share gives every shard a member of the lowest tier, none of them more than its bound; not the
// one that taken gives it. -1 where nobody is left who may: such a shard keeps its order.
func (d *draws) share(taken []int32) []int32 {
	chosen := make([]int32, d.shards)
	next := make([]int, d.shards) // whom the shard asks next, by its order
	full := make([]seats, d.members)
	for i, bound := range d.bounds() {
		full[i] = seats{member: i, draws: d, bound: bound}
	}
	for s := range d.shards {
		// A shard sent away asks on, and may send away another: a chain that ends, since nobody
		// asks anyone twice.
		for asking := s; asking >= 0; {
			asking = d.ask(asking, taken, chosen, next, full)
		}
	}
	return chosen
}

// ask finds a seat for one shard and returns the shard that lost it, or -1.
func (d *draws) ask(s int, taken, chosen []int32, next []int, full []seats) int {
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

// bounds is how many shards each member may get.
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
			// In whole numbers, for the reason of price. Rounded up to the share, or all shards
			// might not fit.
			bounds[i] = max(d.shards*w*11/(sum*10), (d.shards*w+sum-1)/sum)
		}
	}
	return bounds
}

// seats are the shards a member has, the dearest on top.
type seats struct {
	draws  *draws
	member int
	bound  int
	shards []int
}

// take seats a shard. It returns the one that has to go: another, the same, or -1.
func (s *seats) take(shard int) int {
	if s.bound == 0 {
		return shard
	}
	heap.Push(s, shard)
	if len(s.shards) <= s.bound {
		return -1
	}
	return heap.Pop(s).(int)
}

func (s *seats) Len() int      { return len(s.shards) }
func (s *seats) Swap(i, j int) { s.shards[i], s.shards[j] = s.shards[j], s.shards[i] }
func (s *seats) Push(x any)    { s.shards = append(s.shards, x.(int)) }

// Less implements heap.Interface: the dearest first, of two the higher shard.
func (s *seats) Less(i, j int) bool {
	a, b := s.shards[i], s.shards[j]
	pa, pb := s.draws.prices[a*s.draws.members+s.member], s.draws.prices[b*s.draws.members+s.member]
	if pa != pb {
		return pa > pb
	}
	return a > b
}

// Pop implements heap.Interface.
func (s *seats) Pop() any {
	last := s.shards[len(s.shards)-1]
	s.shards = s.shards[:len(s.shards)-1]
	return last
}
