// Package link is how the processes of a cluster reach each other: one gRPC server a process, and a
// connection to each peer that it calls. It carries beats itself, and the calls of services that
// others register.
//
//	l, err := link.Listen(link.Config{Node: "node-1", Cluster: "dashfeed", Bind: "127.0.0.1:7947"})
//	l.RegisterService(&desc, impl) // of gRPC; its handlers know their caller by link.From
//	l.Handle(func(from link.Peer, body []byte) { … }) // beats
//	l.Lost(func(p link.Peer) { … })
//	l.Start()
//	l.Beat(peer, body)
//	conn, err := l.Dial(peer) // to call a peer's services
//	l.Close()
//
// Promises:
//
//  1. Beat never waits. Of the beats that wait for a peer only the newest is kept: a beat says
//     everything. So a beat may be lost, and no peer costs more than one of them.
//  2. Beats have a stream of their own to each peer. They wait for no other data: HTTP/2 gives each
//     stream its window, and what a gateway follows comes on the connection that the gateway
//     opened, not on the one that its node's beats take.
//  3. Every call and stream names who calls, of which cluster, in which version, and which
//     incarnation is meant. Who does not fit is refused with an error that says what is different;
//     a failed TLS handshake is logged at both ends.
//  4. A connection that breaks is told by Lost at once: to a killed process within milliseconds, to
//     one whose packets vanish after UserTimeout. A peer that is only paused is silent: cluster
//     hears no beat of it.
//  5. A peer that can't be reached is tried again with the next beat or call, at most 1 s each;
//     nobody else waits for it.
//
// Messages are bytes (Message): whoever registers a service encodes its own.
package link
