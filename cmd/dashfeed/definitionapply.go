package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/source"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
)

// definitionPaths names the definitions that apply and diff read.
type definitionPaths struct {
	clientFlags
	Paths []string `arg:"" name:"path" help:"Files, or directories of YAML files; - is stdin."`
}

// target is a definition, and the client of its tenant.
type target struct {
	source.Item
	server *client.Client
}

// targets reads the definitions of all paths, and fails if any is wrong. Call close when the
// clients are no longer used.
func (c *definitionPaths) targets(p *program) (all []target, close func(), err error) {
	sources, err := p.readAll(c.Paths)
	if err != nil {
		return nil, nil, err
	}
	server, err := c.open()
	if err != nil {
		return nil, nil, err
	}
	for _, s := range sources {
		d := s.Definition
		if d.Dashboard == "" {
			return nil, nil, fmt.Errorf("%s: the default of tenant %s can't be applied over HTTP: give it to the server by --definitions", s.File, d.Tenant)
		}
		if d.Tenant == messages.DefaultTenant && c.Tenant != "" {
			d.Tenant = c.Tenant
		}
		t := target{s, server}
		if d.Tenant != messages.DefaultTenant {
			t.server = server.Of(d.Tenant)
		}
		all = append(all, t)
	}
	return all, server.Close, nil
}

type definitionApplyCommand struct {
	definitionPaths
	yesFlag
	DryRun bool `help:"Check the definitions and print what they would change, without applying them."`
}

// Run puts every definition in force, unless any of them is wrong.
func (c *definitionApplyCommand) Run(p *program) error {
	targets, close, err := c.targets(p)
	if err != nil {
		return err
	}
	defer close()
	if c.DryRun {
		return c.printChanges(p, targets)
	}
	if err := c.confirmResets(p, targets); err != nil {
		return err
	}
	t := table{columns: []string{"DASHBOARD", "TENANT", "HASH", "POSITION", "CHANGED"}}
	for _, to := range targets {
		d := to.Definition
		a, err := to.server.Define(p, d.Dashboard, d.YAML())
		if err != nil {
			return fmt.Errorf("apply %s from %s: %w", d.Dashboard, to.File, err)
		}
		if a.Pending {
			p.talk("%s: stored, but not applied yet", a.Dashboard)
		}
		t.add(a.Dashboard, d.Tenant, a.Hash, a.Position, a.Changed)
	}
	return t.print(p.stdout, c.Output)
}

// confirmResets asks before a dashboard forgets what it has counted.
func (c *definitionApplyCommand) confirmResets(p *program, targets []target) error {
	var resets []string
	for _, t := range targets {
		if t.Definition.Reset {
			resets = append(resets, fmt.Sprintf("%s (%s)", t.Definition.Dashboard, t.File))
		}
	}
	if len(resets) == 0 {
		return nil
	}
	return c.confirm(p, fmt.Sprintf("reset: true begins a fresh history: what is counted so far is gone from %s", strings.Join(resets, ", ")))
}

// printChanges prints what apply would change.
func (c *definitionApplyCommand) printChanges(p *program, targets []target) error {
	t := table{columns: []string{"DASHBOARD", "TENANT", "HASH", "CHANGES", "EMPTY_PANELS", "REMOVED_PANELS"}}
	for _, to := range targets {
		d, err := to.compare(p)
		if err != nil {
			return err
		}
		t.add(to.Definition.Dashboard, to.Definition.Tenant, to.Definition.Hash(), d.changes, d.empty, d.removed)
	}
	p.talk("nothing was applied: --dry-run")
	return t.print(p.stdout, c.Output)
}

type definitionDiffCommand struct{ definitionPaths }

// Run prints a unified diff from the definition in force to each definition that differs.
func (c *definitionDiffCommand) Run(p *program) error {
	targets, close, err := c.targets(p)
	if err != nil {
		return err
	}
	defer close()
	t := table{columns: []string{"DASHBOARD", "TENANT", "CHANGES", "EMPTY_PANELS", "REMOVED_PANELS", "DIFF"}}
	differ := false
	for _, to := range targets {
		d, err := to.compare(p)
		if err != nil {
			return err
		}
		differ = differ || d.changes
		if c.Output != "table" {
			t.add(to.Definition.Dashboard, to.Definition.Tenant, d.changes, d.empty, d.removed, d.text)
			continue
		}
		fmt.Fprint(p.stdout, visibleLines(d.text))
		for _, panel := range d.empty {
			p.talk("%s: panel %s starts empty", to.Definition.Dashboard, panel)
		}
		for _, panel := range d.removed {
			p.talk("%s: panel %s is removed", to.Definition.Dashboard, panel)
		}
	}
	if c.Output != "table" {
		err = t.print(p.stdout, c.Output)
	}
	if err == nil && differ {
		err = &exitError{code: exitFailed} // like diff and kubectl diff
	}
	return err
}

// change is the difference between a definition and the one in force.
type change struct {
	changes bool
	empty   list   // panels that start empty: new ones, and those with another query
	removed list   // panels that go, with their cells
	text    string // unified diff; "" if nothing would change
}

// inForce is the definition in force for a dashboard.
type inForce struct {
	client.Definition
	parsed *definition.Definition
}

// definitionInForce reads the definition in force. It may be the tenant's default.
func definitionInForce(ctx context.Context, server *client.Client, dashboard string) (in inForce, err error) {
	if in.Definition, err = server.Definition(ctx, dashboard); err != nil {
		return in, err
	}
	read, err := source.Parse("what is in force for "+dashboard, in.Source, messages.Key{})
	if err != nil {
		return in, err
	}
	in.parsed = read[0].Definition
	return in, nil
}

// compare compares a definition with the one in force.
func (t target) compare(ctx context.Context) (c change, err error) {
	d := t.Definition
	now, err := definitionInForce(ctx, t.server, d.Dashboard)
	if err != nil {
		return c, err
	}
	if c.changes = d.Reset || now.Default || now.Hash != d.Hash(); !c.changes {
		return c, nil
	}
	kept, stays := map[string]bool{}, map[string]bool{}
	for _, panel := range now.parsed.Panels {
		kept[panel.Identity(now.parsed.Tie)] = !d.Reset
	}
	for _, panel := range d.Panels {
		stays[panel.ID] = true
		if !kept[panel.Identity(d.Tie)] {
			c.empty = append(c.empty, panel.ID)
		}
	}
	for _, panel := range now.parsed.Panels {
		if !stays[panel.ID] {
			c.removed = append(c.removed, panel.ID)
		}
	}
	from := d.Dashboard + " in force"
	if now.Default {
		from = "the default of tenant " + d.Tenant
	}
	c.text = string(diff.Diff(from, now.Source, t.File, d.YAML()))
	return c, nil
}
