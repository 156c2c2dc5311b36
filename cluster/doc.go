// Package cluster says who is here, who should fold which shard, and who does. It knows no
// dashboards.
//
//	c, err := cluster.Start(ctx, cluster.Config{Link: l, Bind: "10.0.0.1:7946", Seeds: seeds, Cluster: "prod",
//		Roles: cluster.NodeRole | cluster.GatewayRole, Replicas: 2, Shards: host, Partitions: log.Partitions})
//	peer, ok := c.Source(17) // whom a mirror of shard 17 follows
//	err = c.Drain(ctx)       // hand everything over
//	err = c.Close(ctx)
//
// Four things work together, each of which may be wrong for a while:
//
//   - gossip (hashicorp/memberlist) tells which nodes are there: the view. It is a hint about whom
//     to talk to, and nothing that it carries decides who serves.
//   - package placement ranks the nodes for every shard, from the view alone.
//   - beats, four a second from each member to each other over the link, tell which shards a node
//     claims: loading, or live.
//   - the decision (decide.go) is a pure function of these and the time. It tells this node alone
//     what to load, what to drop and what to own; nobody tells another to stop.
//
// Promises, each kept by a simulation in virtual time (simulation_test.go) and by its own test:
//
//  1. Once the faults end, every shard is folded by exactly as many nodes as Replicas says, or all
//     there are, and owned by one.
//  2. A planned move (a node comes, a node drains) never leaves a shard without a node that is live
//     on it.
//  3. Nothing is said once: each beat says everything again, and each beat the decision is made
//     again.
//  4. Two starts of a node are two members, as are two that claim one address. Of these the one
//     that is heard counts; where both run, the one that started later by its own clock stays, and
//     the other drops everything within seconds, says so by Err, and serves again when that one is
//     gone. A clock that was set back or forward heals within seconds.
//  5. A node that comes and goes takes its shards back later and later, up to a minute, and loses
//     them at once.
package cluster
