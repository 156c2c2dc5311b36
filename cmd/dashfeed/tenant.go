package main

import (
	"fmt"
	"net/http"

	"github.com/dashfeed/dashfeed/messages"
)

// tenantCommand groups what there is to do with tenants.
type tenantCommand struct {
	List tenantListCommand `cmd:"" help:"Print the tenants and their shards."`
	Add  tenantAddCommand  `cmd:"" help:"Make a tenant: its topics, and its shards on the nodes, while everything runs."`
}

type tenantListCommand struct{ adminServerFlags }

// Run prints a line a tenant.
func (c *tenantListCommand) Run(p *program) error {
	var tenants []tenantAnswer
	if err := c.ask(p, http.MethodGet, "/tenants", nil, &tenants); err != nil {
		return err
	}
	return printTenants(p, c.Output, tenants)
}

type tenantAddCommand struct {
	adminServerFlags
	Partitions int    `help:"Partitions of its log, fixed from then on: 1 to 1024." required:"" placeholder:"N"`
	LogTime    string `help:"Where log time comes from: the broker, or ticks where the broker gives no time." enum:"broker,ticks" default:"broker"`
	Name       string `arg:"" help:"Tenant."`
}

// Run makes the tenant; one that is there already with as many partitions is no error.
func (c *tenantAddCommand) Run(p *program) error {
	if err := messages.CheckName("tenant", c.Name); err != nil {
		return usage("%w", err)
	}
	if c.Partitions < 1 || c.Partitions > 1024 {
		return usage("partitions %d is not allowed: 1 to 1024", c.Partitions)
	}
	var made tenantAnswer
	if err := c.ask(p, http.MethodPost, "/tenants", tenantRequest{c.Name, c.Partitions, c.LogTime}, &made); err != nil {
		return err
	}
	return printTenants(p, c.Output, []tenantAnswer{made})
}

func printTenants(p *program, format string, tenants []tenantAnswer) error {
	t := table{columns: []string{"TENANT", "PARTITIONS", "SHARDS", "LOG_TIME"}}
	for _, a := range tenants {
		t.add(a.Name, a.Partitions, fmt.Sprintf("%d-%d", a.First, a.First+a.Partitions-1), a.LogTime)
	}
	return t.print(p.stdout, format)
}
