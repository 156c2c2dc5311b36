package main

import "github.com/dashfeed/dashfeed/cluster/link"

// linkConfig is the link's.
func (c *clustered) linkConfig() link.Config {
	return link.Config{
		Node: c.name, Cluster: c.flags.Cluster, Bind: c.flags.Link, Advertise: c.flags.LinkAdvertise,
		TLS:    link.TLS{CA: c.flags.LinkCA, Cert: c.flags.LinkCert, Key: c.flags.LinkKey},
		Logger: c.logger, Metrics: c.metrics,
	}
}
