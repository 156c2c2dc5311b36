// Package link carries bytes between nodes. It may lose, and nothing above it may depend on one message arriving.
//
//	l, err := link.Listen(link.Config{Node: "node-1", Bind: "127.0.0.1:7947"})
//	l.Handle(link.Beat, func(from link.Peer, body []byte) { … })
//	l.Lost(func(p link.Peer) { … })
//	l.Start()
//	l.Send(peer, link.Beat, body)
//	l.Close()
//
// Promises:
//
//  1. Send never blocks. What is queued for a peer is bounded in messages and in bytes by kind; what is over is dropped and
//     counted: the oldest of the beats, the newest of the others.
//  2. Every kind has a connection of its own to every peer, with its own queue, writer and reader. So a beat waits for no
//     data: not in a queue, not in a flow-control window, not behind a slow handler.
//  3. What arrives arrives whole, at most once, and in order among the messages of one kind from one peer while a connection
//     lasts. Only the incarnation that it was sent to gets it.
//  4. A connection that breaks is told by Lost at once: to a killed process within milliseconds, to one whose packets vanish
//     after UserTimeout. A peer that is only paused isn't lost: its silence is its sign.
//  5. A peer that can't be reached is tried anew with the next Send, at most 1 s each; nobody else waits for it.
//
// Inside is protoactor-go's remote and nothing of its cluster. As it comes, remote queues without bound (its queue sizes are
// where it begins), sleeps 2 s in the writer's own mailbox when a peer can't be reached, and never tells that a peer is gone
// before it. So what it gets from us is one token a lane (lane.go), and the stream that it writes to is ours (stream.go).
package link
