package main

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
)

type tenantSetCommand struct {
	adminServerFlags
	Limit  []string `help:"A limit of its own, such as dashboards=10000; with nothing behind the =, the server's counts again. docs/LIMITS.md lists the limits." required:"" placeholder:"NAME=VALUE"`
	DryRun bool     `help:"Only check the change, and print what is in force now."`
	Name   string   `arg:"" help:"Tenant."`
}

// Run changes the limits that are named, and prints all that the tenant has of its own.
func (c *tenantSetCommand) Run(p *program) error {
	own, err := ownLimits(c.Limit)
	if err != nil {
		return usage("%w", err)
	}
	if err := messages.CheckName("tenant", c.Name); err != nil {
		return usage("%w", err)
	}
	var answer admin.TenantLimits
	if err := c.ask(p, http.MethodPost, limitsOf(c.Name), admin.LimitsRequest{Limits: own, DryRun: c.DryRun}, &answer); err != nil {
		return err
	}
	if c.DryRun {
		p.talk("tenant %s: the change is possible, and nothing was changed", c.Name)
	}
	return printLimits(p, c.Output, answer)
}

type tenantGetCommand struct {
	adminServerFlags
	Name string `arg:"" help:"Tenant."`
}

// Run prints a line for each limit that the tenant has of its own.
func (c *tenantGetCommand) Run(p *program) error {
	if err := messages.CheckName("tenant", c.Name); err != nil {
		return usage("%w", err)
	}
	var answer admin.TenantLimits
	if err := c.ask(p, http.MethodGet, limitsOf(c.Name), nil, &answer); err != nil {
		return err
	}
	return printLimits(p, c.Output, answer)
}

func limitsOf(tenant string) string { return "/tenants/" + url.PathEscape(tenant) + "/limits" }

// ownLimits reads settings NAME=VALUE; one without value takes the tenant's own limit away.
func ownLimits(texts []string) (map[string]string, error) {
	check := slices.Clone(texts)
	own := map[string]string{}
	for i, text := range texts {
		name, value, found := strings.Cut(text, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if own[name] = value; found && value == "" {
			check[i] = name + "=none"
		}
	}
	_, err := limits.Parse(check, func(r limits.Row) bool { return r.OfTenants() })
	return own, err
}

func printLimits(p *program, format string, l admin.TenantLimits) error {
	t := table{columns: []string{"TENANT", "LIMIT", "VALUE"}}
	for _, name := range slices.Sorted(maps.Keys(l.Limits)) {
		t.add(l.Name, name, l.Limits[name])
	}
	return t.print(p.stdout, format)
}
