// Package actors is where dashboards live: a Host on each node, a shard actor for each partition of the log, a
// dashboard actor round each pure fold.Dashboard that is awake. The Host is a feed.Feed.
//
//	h, err := actors.New(config)
//	err = h.Start(ctx)           // every shard has its checkpoint and replays from there; Ready tells when it is live
//	defer h.Stop(ctx)            // a last checkpoint, then everything joined
//	reading, err := h.Read(ctx, key, feed.Query{})
//
// Promises:
//
//  1. A shard's records reach their dashboards in log order, each once. The shard alone wakes and puts to sleep its
//     dashboards and counts every message to them until it comes back, so none can be lost between the two.
//  2. What is in flight is bounded by credit: Config.Batches batches of Config.BatchRecords records, which go back to the
//     reader when the last dashboard has folded its part. A dashboard that is stuck stops the reader, and memory.
//  3. A dashboard asleep holds no memory: it is an entry in the shard's last checkpoint and nothing else.
//  4. A checkpoint's marker stands at a position up to which everything is in it; an entry may be ahead of it, and
//     records that it has already are passed over when the log is replayed.
//  5. A record that makes a fold panic is set aside (fold.Dashboard.SetAside): the state is loaded from the checkpoint
//     and replayed up to it. No supervisor restarts a dashboard: one who did would bring an empty one to life.
//
// What it is not: it places no shards and speaks to no other node (cluster), and it has no opinion about time, windows
// or counters (fold).
package actors
