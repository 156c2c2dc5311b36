// Package actors is where dashboards live: a Host on each node, a shard actor for each partition of
// the log, a dashboard actor round each pure fold.Dashboard that is awake. The Host is a feed.Feed.
//
//	h, err := actors.New(config)
//	err = h.Start(ctx)           // no shard yet
//	defer h.Stop(ctx)            // last checkpoints, then everything joined
//	// fetches shard 3's checkpoint and replays from there; Claims and Ready tell when it is live
//	h.Load(3)
//	h.Own(3, true)               // from now on this host acts for it
//	reading, err := h.Read(ctx, key, feed.Query{})
//	h.Drop(3)                    // somebody else has it
//
// Promises:
//
//  1. A shard's records reach their dashboards in log order, each once. The shard alone wakes and
//     puts to sleep its dashboards and counts every message to them until it comes back, so none
//     can be lost between the two.
//  2. What is in flight is bounded by credit: Config.Batches batches of Config.BatchRecords
//     records, which go back to the reader when the last dashboard has folded its part. A dashboard
//     that is stuck stops the reader, and memory.
//  3. A dashboard asleep holds no memory but 8 bytes for each instant that its windows wait for: it
//     is an entry in the shard's last checkpoint and nothing else.
//  4. A checkpoint's marker stands at a position up to which everything is in it; an entry may be
//     ahead of it, and records that it has already are passed over when the log is replayed.
//  5. A record that makes a fold panic is set aside (fold.Dashboard.SetAside): the state is loaded
//     from the checkpoint and replayed up to it. Any other panic ends the shard's life; it is
//     loaded again, a bounded number of times. Those of actors come to the Host, which supervises
//     them all and restarts none: it would come back empty. A dashboard that is lost otherwise
//     lacks nothing when it is brought up the next time, as long as the log has its records.
//  6. A shard claims to be live while it has folded all that the log had a second ago, by the log's
//     own word. One that lost the log goes on answering, and claims nothing of that kind; one that
//     has work and makes no progress claims nothing.
//  7. What is done to the world outside (ticks, forwards, checkpoints that others read, what the
//     log may drop) is done for shards that the host owns. Everything else is done by owner and
//     standby alike.
//  8. Stop and Drop end what is under way behind the record that is being folded, however much of
//     it there is.
//
// What a shard decides is a state machine of its own, package core: the shard's actor tells it what
// happened and does what it says. What others read of the shard is one view, published whole.
//
// What it is not: it places no shards and speaks to no other node (cluster), and it has no opinion
// about time, windows or counters (fold).
package actors
