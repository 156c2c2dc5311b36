package main

import (
	"strings"

	"github.com/dashfeed/dashfeed/cluster/link"
)

// linkConfig is the link's.
func (c *clustered) linkConfig() link.Config {
	return link.Config{
		Node: c.name, Bind: c.flags.Link, Advertise: c.flags.LinkAdvertise,
		TLS:    link.TLS{CA: c.flags.LinkCA, Cert: c.flags.LinkCert, Key: c.flags.LinkKey},
		Logger: c.logger, Metrics: c.metrics,
	}
}

// send is how both ends of the feed speak to a peer.
func (c *clustered) send(to string, body []byte) { c.link.Send(peerOf(to), link.Feed, body) }

// peerText is a peer as the feed knows it, who knows no addresses: name@address.
func peerText(p link.Peer) string { return p.Name + "@" + p.Address }

func peerOf(text string) link.Peer {
	name, address, _ := strings.Cut(text, "@")
	return link.Peer{Name: name, Address: address}
}

// connect has the link bring both ends of the feed what is theirs, before it starts.
func (c *clustered) connect() {
	c.link.Handle(link.Feed, func(from link.Peer, body []byte) {
		peer := peerText(from)
		if c.owner != nil {
			c.owner.Receive(peer, body)
		}
		if c.viewer != nil {
			c.viewer.Receive(peer, body)
		}
	})
	c.link.Lost(func(p link.Peer) {
		peer := peerText(p)
		if c.owner != nil {
			c.owner.Lost(peer)
		}
		if c.viewer != nil {
			c.viewer.Lost(peer)
		}
	})
}
