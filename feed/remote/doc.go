// Package remote is both ends of the feed contract over a link: a Server stands beside an owner's
// feed, a Client is the feed that a gateway holds.
//
//	// before l.Start
//	server, err := remote.NewServer(remote.ServerConfig{Feed: host, Link: l})
//	client, err := remote.NewClient(remote.ClientConfig{Directory: cluster, Link: l})
//	client.Moved() // when sources changed
//
// A gateway has one stream to each owner that it follows dashboards at, and keeps its place in
// each:
//
//  1. It opens a dashboard, asks from a place and closes it. The owner answers each ask once, when
//     the dashboard is beyond the place. An answer names its ask, since the gateway may have asked
//     again meanwhile.
//  2. When a stream breaks, the owner closes all that was open on it. The gateway opens another and
//     asks for everything from its places: "what changed since v" has the same answer wherever and
//     whenever it is asked.
//  3. The stream's window is HTTP/2's (link.Window). While a gateway takes nothing, the owner's
//     sender waits in it, and what changes is kept for it as the set of dashboards that changed,
//     beside updates of at most Waiting bytes. They are asked what changed when the window is free:
//     later, and with more in it. Neither a fold nor another gateway waits.
//  4. What changes of many dashboards within a flush goes in one message of at most
//     MaxMessageBytes. What is larger, a snapshot or the many cells of one step, goes in parts and
//     is put together before it is read: it cannot be cut so that a holder could apply a part. At
//     most MaxPayloadBytes are held for it, of one owner.
//  5. Every beat the owner says how its shards stand. A source that is silent for some beats serves
//     nobody, and keepalive ends its stream. A gateway's calls (reading, listing, default
//     definition) are streams of their own with deadlines; those whose answer may change soon are
//     repeated every beat.
package remote
