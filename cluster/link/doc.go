// Package link connects the processes of a cluster: each process has one gRPC server, and a
// connection to each peer that it calls. It carries beats itself, and the calls of services that
// others register.
//
//	l, err := link.Listen(link.Config{Node: "node-1", Cluster: "dashfeed", Bind: "127.0.0.1:7947"})
//	l.RegisterService(&desc, impl) // a gRPC service; link.From tells its handlers who called
//	l.Handle(func(from link.Peer, body []byte) { … }) // beats
//	l.Lost(func(p link.Peer) { … })
//	l.Start()
//	l.Beat(peer, body)
//	conn, err := l.Dial(peer) // to call a peer's services
//	l.Close()
//
// Promises:
//
//  1. Beat never waits. Only the newest beat for a peer waits to be sent, because each beat
//     contains everything. So a beat may be lost, and a peer costs at most one waiting beat.
//  2. Beats have a stream of their own to each peer, so they wait for no other data: HTTP/2 gives
//     each stream its own window, and what a gateway follows comes on the connection that the
//     gateway opened, not on the one that its node's beats use.
//  3. Every call and stream names the caller, its cluster, its version, and the incarnation that it
//     means. A caller that does not fit is refused with an error that names the difference; a
//     failed TLS handshake is logged at both ends.
//  4. Lost reports a broken connection at once: within milliseconds if the process was killed,
//     after UserTimeout if packets vanish. A peer that is only paused is silent: package cluster
//     then misses its beats.
//  5. A peer that cannot be reached is tried again with the next beat or call, for at most 1 s
//     each; nothing else waits for it.
//
// Messages are bytes (Message): each service encodes its own.
package link
