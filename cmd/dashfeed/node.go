package main

// nodeCommand serves shards as a member of a cluster, until it is told to stop.
type nodeCommand struct {
	configFlag
	publicFlags
	adminFlags
	pulsarFlags
	gossipFlags
	shardFlags
	dashboardFlags
	reserveFlag
	gatewayFlag
}

// gatewayFlag makes a node a gateway too.
type gatewayFlag struct {
	Gateway bool `help:"Serve the public too, at --listen." group:"Server"`
}

// Run serves until SIGINT or SIGTERM; it then hands its shards over first.
func (c *nodeCommand) Run(p *program) error {
	return runClustered(p, clusteredFlags{
		publicFlags: c.publicFlags, adminFlags: c.adminFlags, pulsarFlags: c.pulsarFlags, gossipFlags: c.gossipFlags,
		shardFlags: c.shardFlags, dashboardFlags: c.dashboardFlags, reserveFlag: c.reserveFlag,
		shards: true, public: c.Gateway,
	})
}

// gatewayCommand serves the public as a member of a cluster, until it is told to stop.
type gatewayCommand struct {
	configFlag
	publicFlags
	adminFlags
	pulsarFlags
	gossipFlags
	dashboardFlags
}

// Run serves until SIGINT or SIGTERM; it then sends its sessions to other gateways first.
func (c *gatewayCommand) Run(p *program) error {
	return runClustered(p, clusteredFlags{
		publicFlags: c.publicFlags, adminFlags: c.adminFlags, pulsarFlags: c.pulsarFlags, gossipFlags: c.gossipFlags,
		dashboardFlags: c.dashboardFlags, public: true,
	})
}
