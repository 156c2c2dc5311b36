// Package cluster determines who is in the cluster, who should fold which shard, and who does. It
// knows nothing about dashboards.
//
//	c, err := cluster.Start(ctx, cluster.Config{Link: l, Bind: "10.0.0.1:7946", Seeds: seeds, Cluster: "prod",
//		Roles: cluster.NodeRole | cluster.GatewayRole, Replicas: 2, Shards: host, Partitions: log.Partitions})
//	peer, ok := c.Source(17) // the node that a mirror of shard 17 follows
//	err = c.Drain(ctx)       // hand over every shard
//	err = c.Close(ctx)
//
// Four parts work together; each may be wrong for a while:
//
//   - gossip (hashicorp/memberlist) tells which nodes exist: the view. It is a hint about whom to
//     talk to; nothing that it carries decides who serves.
//   - package placement ranks the nodes for every shard, from the view alone.
//   - beats, four per second from each member to each other over the link, tell which shards a node
//     claims: loading, or live.
//   - the decision (decide.go) is a pure function of these and the time. It tells only this node
//     what to load, drop and own; no node tells another to stop.
//
// Promises, each tested by a simulation in virtual time (simulation_test.go) and by a test of its
// own:
//
//  1. Once faults end, every shard is folded by exactly as many nodes as Replicas says, or by all
//     there are, and owned by one.
//  2. A planned move (a node joins, a node drains) never leaves a shard without a live node.
//  3. Nothing is sent only once: each beat contains everything again, and the decision is made
//     again with each beat.
//  4. Two starts of a node are two members, and so are two processes that claim one address. Of
//     these the one that is heard counts. If both run, the one that started later by its own clock
//     stays; the other drops everything within seconds, reports so by Err, and serves again when
//     the later one is gone. A clock that was set back or forward causes trouble for seconds at
//     most.
//  5. A node that leaves and returns gets its shards back after a growing delay, up to a minute,
//     and loses them at once.
package cluster
