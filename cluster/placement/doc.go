// Package placement says which node should serve which shard. It advises: what is served follows
// from claims, and a wrong guess costs nothing but a second fold of the same log.
//
//	t := placement.Rank([]placement.Member{{Name: "a", Weight: 1}, {Name: "b", Weight: 2}}, 256)
//	for _, i := range t.Of(17) { // best first
//		fmt.Println(t.Members[i].Name)
//	}
//
// Promises, each kept by a property test:
//
//  1. The table is a function of the members and the number of shards alone: the same on every
//     machine and in whatever order the members are given.
//  2. Nobody is first for more than MaxLoad times its weighted share of the shards (rounded up,
//     where that allows less than one shard more), and likewise second for standbys, as far as
//     there are others to take the rest.
//  3. A member that comes or goes moves little more than its share, and so do shards that are
//     added.
//  4. Members of a lower tier rank before those of a higher one; only the lowest tier there is
//     shares the shards evenly.
//
// It is weighted rendezvous hashing: every member draws a number for every shard, and the shards
// then go to the members with the best numbers as students go to schools. A shard asks its best
// member first; a member that is full keeps those with the best numbers and sends the worst away,
// to ask their next best. The outcome doesn't depend on who asks first.
package placement
