// Package placement says which node should serve which shard. It only advises: claims decide who
// serves, and a wrong guess costs nothing but a second fold of the same log.
//
//	t := placement.Rank([]placement.Member{{Name: "a", Weight: 1}, {Name: "b", Weight: 2}}, 256)
//	for _, i := range t.Of(17) { // best first
//		fmt.Println(t.Members[i].Name)
//	}
//
// Promises, each tested by a property test:
//
//  1. The table is a function of the members and the number of shards alone: the same on every
//     machine and for any order of the members.
//  2. No member is first for more than MaxLoad times its weighted share of the shards (rounded up
//     if that allows less than one more shard). The same holds for second place, which standbys
//     take, as far as there are other members to take the rest.
//  3. A member that joins or leaves moves little more than its share, and so do added shards.
//  4. Members of a lower tier rank before those of a higher one; only the lowest tier in use shares
//     the shards evenly.
//
// The method is weighted rendezvous hashing: every member draws a number for every shard, and the
// shards are then assigned to members by these numbers as in stable matching. A shard
// asks its best member first; a full member keeps the shards with the best numbers and sends the
// worst away, which then asks its next best member. The result does not depend on who asks first.
package placement
