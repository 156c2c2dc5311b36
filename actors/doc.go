// Package actors runs the dashboards: a Host on each node, a shard actor for each partition of the
// log, and a dashboard actor around each pure fold.Dashboard that is awake. The Host is a
// feed.Feed.
//
//	h, err := actors.New(config)
//	err = h.Start(ctx)           // no shard yet
//	defer h.Stop(ctx)            // writes last checkpoints, then joins every goroutine
//	// fetches shard 3's checkpoint and replays from there; Claims and Ready tell when it is live
//	h.Load(3)
//	h.Own(3, true)               // from now on this host acts for it
//	reading, err := h.Read(ctx, key, feed.Query{})
//	h.Drop(3)                    // another host has it
//
// Promises:
//
//  1. A shard's records reach their dashboards in log order, each once. Only the shard wakes its
//     dashboards and puts them to sleep, and it counts every message to them until the message
//     returns. So no message is lost between waking and sleeping.
//  2. Credit bounds what is in flight: Config.Batches batches of Config.BatchRecords records. A
//     batch returns to the reader when the last dashboard has folded its part. A dashboard that is
//     stuck stops the reader, so memory stays bounded.
//  3. A sleeping dashboard holds no memory but 8 bytes for each log time that its windows wait for.
//     It is an entry in the shard's last checkpoint.
//  4. A checkpoint contains everything up to its marker. An entry may be ahead of the marker: a
//     replay of the log skips records that the entry contains already.
//  5. A record that makes a fold panic is set aside (fold.Dashboard.SetAside): the state is loaded
//     from the checkpoint and replayed up to it. Any other panic ends the shard, which is loaded
//     again a bounded number of times. The Host supervises all actors. It restarts none of them,
//     because a restarted actor would be empty. A dashboard that is lost for another reason lacks
//     nothing when it is loaded the next time, as long as the log has its records.
//  6. A shard claims to be live while it has folded everything that the log had a second ago, by
//     the log's own answer. A shard that lost its log still answers readers, but does not claim to
//     be live. A shard that has work and makes no progress claims nothing.
//  7. Effects on the outside are performed only for shards that the host owns: ticks, forwards,
//     checkpoints that others read, and the release of log records. Owners and standbys do
//     everything else alike.
//  8. Stop and Drop end what is under way after the record that is being folded, however much work
//     is left.
//
// The decisions of a shard are made by a state machine in package core: the shard's actor reports
// what happened and performs the effects. Other goroutines read the shard through one view, which
// is published as a whole.
//
// The package does not place shards or speak to other nodes (cluster does), and it does not
// interpret time, windows or counters (fold does).
package actors
