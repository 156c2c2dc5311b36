// Package remote is both ends of the feed contract over a link: a Server stands beside an owner's feed, a Client is the
// feed that a gateway holds. The link may lose, repeat, delay and reorder messages; nothing depends on one of them.
//
//	server, err := remote.NewServer(remote.ServerConfig{Feed: host, Send: toPeer})
//	client, err := remote.NewClient(remote.ClientConfig{Directory: cluster, Send: toPeer})
//	// the link calls Receive of both with what comes, and Lost of both when a peer is gone; each takes what is its own
//	client.Moved() // when sources changed
//
// What is kept up is state, and every beat both ends tell where they stand:
//
//  1. A gateway's interests at one owner are a table with a version. A message leads from one version to another; the owner
//     tells the version it has, and what lies after it is sent again. An ask is part of its interest: place and number.
//  2. An answer is good for the ask of its number. A beat names the asks that were answered and not followed by another; a
//     gateway that never saw the answer asks anew, from its place.
//  3. Requests are repeated every beat until they are answered; one that is not repeated is given up by the owner.
//  4. Credit is the difference of two counters that both ends repeat: bytes sent on the stream, and the greatest such number
//     heard. At most Window bytes are in flight to a gateway, whatever the number of its dashboards. An answer that finds no
//     room is forgotten and asked for again from the same place when there is: later, and with more in it.
//  5. A payload that does not fit into one message goes in parts, one payload at a time, and is put together by the client:
//     neither a snapshot nor the many cells of one step can be cut so that a holder could apply a part, and a viewer never
//     sees half an update. At most MaxPayloadBytes are held for it, of one payload per owner.
//  6. An owner's memory of a gateway is a stream, a gateway's of an owner a table. Either end may forget at any time: it
//     begins a new one, and all is told again.
//
// Versions: every message begins with a byte that says whom it is for and one for the version of what follows. Unknown
// fields are ignored, so both ends may be upgraded in any order; another version is refused aloud.
package remote
