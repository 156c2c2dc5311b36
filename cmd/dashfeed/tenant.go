package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// tenantCommand groups the commands on tenants.
type tenantCommand struct {
	List tenantListCommand `cmd:"" help:"Print the tenants and their shards."`
	Add  tenantAddCommand  `cmd:"" help:"Create a tenant: its topics, and its shards on the nodes. Nothing has to restart."`
	Set  tenantSetCommand  `cmd:"" help:"Give a tenant limits of its own, in force on every gateway within 5 s."`
	Get  tenantGetCommand  `cmd:"" help:"Print a tenant's own limits."`
}

type tenantListCommand struct{ adminServerFlags }

// Run prints one line per tenant.
func (c *tenantListCommand) Run(p *program) error {
	var tenants []admin.Tenant
	if err := c.ask(p, http.MethodGet, "/tenants", nil, &tenants); err != nil {
		return err
	}
	return printTenants(p, c.Output, tenants)
}

type tenantAddCommand struct {
	adminServerFlags
	Partitions int    `help:"Partitions of its log: 1 to 1024. They can't be changed later." required:"" placeholder:"N"`
	LogTime    string `help:"Source of log time: the broker, or ticks if the broker gives no time." enum:"broker,ticks" default:"broker"`
	Name       string `arg:"" help:"Tenant."`
}

// Run makes the tenant and waits until it is served. It is no error if it exists with the same
// number of partitions.
func (c *tenantAddCommand) Run(p *program) error {
	if err := messages.CheckName("tenant", c.Name); err != nil {
		return usage("%w", err)
	}
	if c.Partitions < 1 || c.Partitions > 1024 {
		return usage("partitions %d is not allowed: 1 to 1024", c.Partitions)
	}
	made, err := c.wait(p)
	if err != nil {
		return err
	}
	return printTenants(p, c.Output, []admin.Tenant{made})
}

// wait repeats the request until all shards of the tenant are live. If it gives up, the cluster
// continues the work.
func (c *tenantAddCommand) wait(p *program) (admin.Tenant, error) {
	told := progressOf(p)
	defer told.end()
	topics := -1
	for {
		var made admin.TenantProgress
		err := c.ask(p, http.MethodPost, "/tenants", admin.TenantRequest{Name: c.Name, Partitions: c.Partitions, LogTime: c.LogTime}, &made)
		if errors.Is(err, context.Canceled) {
			return made.Tenant, &exitError{exitInterrupted, fmt.Errorf("the cluster continues to create tenant %s; run the command again to see its progress", c.Name)}
		}
		if err != nil || made.Made && made.Live >= made.Partitions {
			return made.Tenant, err
		}
		if made.Topics > topics { // a broker that is busy with them is no trouble
			topics, made.Trouble = made.Topics, ""
		}
		told.say(made.String())
		if made.Made { // until then the answer takes its time
			eventlog.Pause(p, progressPause)
		}
	}
}

func printTenants(p *program, format string, tenants []admin.Tenant) error {
	t := table{columns: []string{"TENANT", "PARTITIONS", "SHARDS", "LOG_TIME"}}
	for _, a := range tenants {
		t.add(a.Name, a.Partitions, fmt.Sprintf("%d-%d", a.First, a.First+a.Partitions-1), a.LogTime)
	}
	return t.print(p.stdout, format)
}
