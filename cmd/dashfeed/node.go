package main

import (
	"io"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/roles"
)

// nodeCommand serves shards as a member of a cluster, until it is stopped.
type nodeCommand struct {
	configFlag
	roles.PublicFlags
	roles.AdminFlags
	roles.PulsarFlags
	roles.GossipFlags
	roles.ShardFlags
	roles.DashboardFlags
	roles.ReserveFlag
	gatewayFlag
}

// gatewayFlag makes a node a gateway as well.
type gatewayFlag struct {
	Gateway bool `help:"Also serve the public, at --listen." group:"Server"`
}

// Run serves until SIGINT or SIGTERM; then it hands its shards over and exits.
func (c *nodeCommand) Run(p *program) error {
	return p.serveClustered(roles.ClusteredFlags{
		PublicFlags: c.PublicFlags, AdminFlags: c.AdminFlags, PulsarFlags: c.PulsarFlags, GossipFlags: c.GossipFlags,
		ShardFlags: c.ShardFlags, DashboardFlags: c.DashboardFlags, ReserveFlag: c.ReserveFlag,
		Shards: true, Public: c.Gateway,
	})
}

// gatewayCommand serves the public as a member of a cluster, until it is stopped.
type gatewayCommand struct {
	configFlag
	roles.PublicFlags
	roles.AdminFlags
	roles.PulsarFlags
	roles.GossipFlags
	roles.DashboardFlags
}

// Run serves until SIGINT or SIGTERM; then it sends its sessions to other gateways and exits.
func (c *gatewayCommand) Run(p *program) error {
	return p.serveClustered(roles.ClusteredFlags{
		PublicFlags: c.PublicFlags, AdminFlags: c.AdminFlags, PulsarFlags: c.PulsarFlags, GossipFlags: c.GossipFlags,
		DashboardFlags: c.DashboardFlags, Public: true,
	})
}

// process describes this program for a role; its log goes to w.
func (p *program) process(w io.Writer) roles.Process {
	return roles.Process{Release: release, Talk: p.talk, Log: w}
}

// serveClustered serves a role of a cluster until the program is stopped.
func (p *program) serveClustered(f roles.ClusteredFlags) error {
	if err := p.config.readAuth(&f.PublicFlags); err != nil {
		return err
	}
	c, err := roles.NewClustered(p.process(p.stderr), f)
	if err != nil {
		return err
	}
	return roles.Serve(p, c)
}
