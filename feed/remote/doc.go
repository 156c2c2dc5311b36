// Package remote implements both ends of the feed contract over a link: a Server serves an owner's
// feed, and a Client is the feed that a gateway uses.
//
//	// before l.Start
//	server, err := remote.NewServer(remote.ServerConfig{Feed: host, Link: l})
//	client, err := remote.NewClient(remote.ClientConfig{Directory: cluster, Link: l})
//	client.Moved() // when sources changed
//
// A gateway has one stream to each owner at which it follows dashboards, and keeps its place in
// each dashboard:
//
//  1. The gateway opens a dashboard, asks from a place, and closes it. The owner answers each ask
//     once, when the dashboard is beyond the place. An answer names its ask, because the gateway
//     may have asked again meanwhile.
//  2. When a stream breaks, the owner closes everything that was open on it. The gateway opens
//     another stream and asks for everything from its places: "what changed since v" has the same
//     answer wherever and whenever it is asked.
//  3. The stream's window is HTTP/2's (link.Window). While a gateway does not read, the owner's
//     sender waits in it. The owner keeps at most Waiting bytes of updates, and beyond that only
//     the set of dashboards that changed. It asks for their changes when the window is free, so
//     they come later and contain more. Neither the fold nor another gateway waits.
//  4. Changes of many dashboards within a flush go in one message of at most MaxMessageBytes.
//     Something larger, such as a snapshot or a step with many cells, goes in parts and is
//     assembled before it is read, because a holder must not apply only a part of it. For that, at
//     most MaxPayloadBytes per owner are held.
//  5. In every beat the owner reports the state of its shards. A source that is silent for some
//     beats serves nobody, and keepalive ends its stream. A gateway's calls (reading, listing,
//     default definition) are streams of their own with deadlines; a call whose answer may change
//     soon is repeated every beat.
package remote
