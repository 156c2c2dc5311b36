package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/source"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
)

// definitionCommand groups the commands on definitions.
type definitionCommand struct {
	Check  definitionCheckCommand  `cmd:"" help:"Check definitions without a server."`
	Diff   definitionDiffCommand   `cmd:"" help:"Print what apply would change. Exit code 1 if there is a difference."`
	Apply  definitionApplyCommand  `cmd:"" help:"Apply definitions."`
	Get    definitionGetCommand    `cmd:"" help:"Print the current definition of a dashboard."`
	Delete definitionDeleteCommand `cmd:"" help:"Delete the definition of a dashboard: the tenant's default applies again."`
	Schema definitionSchemaCommand `cmd:"" help:"Print the JSON Schema of definitions."`
}

type definitionCheckCommand struct {
	outputFlag
	Paths []string `arg:"" name:"path" help:"Files, or directories of YAML files; - is stdin."`
}

// Run prints one line per definition, or everything that is wrong with them.
func (c *definitionCheckCommand) Run(p *program) error {
	sources, err := p.readAll(c.Paths)
	var problems definition.Problems
	if errors.As(err, &problems) && c.Output != "table" {
		if err := printValue(p.stdout, c.Output, problems); err != nil {
			return err
		}
		return &exitError{code: exitFailed}
	}
	if err != nil {
		return err
	}
	t := table{columns: []string{"DASHBOARD", "TENANT", "PANELS", "HASH", "FILE"}}
	for _, s := range sources {
		d := s.Definition
		t.add(d.Dashboard, d.Tenant, len(d.Panels), d.Hash(), s.File)
		for _, w := range longerThanHorizon(d) {
			p.talk("%s: %s", s.File, w)
		}
	}
	return t.print(p.stdout, c.Output)
}

// longerThanHorizon returns warnings for windows that still accept corrections after event ids are
// forgotten: so late an event is refused, not counted twice.
func longerThanHorizon(d *definition.Definition) []string {
	if d.Dedupe.By == definition.ByNone {
		return nil
	}
	var warnings []string
	for _, panel := range d.Panels {
		if long := panel.Window.Size + d.Time.Lateness; panel.Window.Size > 0 && long > d.Dedupe.Horizon {
			warnings = append(warnings, fmt.Sprintf("warning: panel %s takes events for %s, longer than dedupe.horizon %s: events with an id that come later than the horizon are refused",
				panel.ID, long.Round(time.Millisecond), d.Dedupe.Horizon))
		}
	}
	return warnings
}

type definitionGetCommand struct {
	clientFlags
	Dashboard string `arg:"" help:"Dashboard."`
}

// Run prints the definition: YAML, or JSON with -o json.
func (c *definitionGetCommand) Run(p *program) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	defer server.Close()
	d, err := server.Definition(p, c.Dashboard)
	if err != nil {
		return err
	}
	if d.Default {
		p.talk("%s has no definition of its own: this is its tenant's default", c.Dashboard)
	}
	if c.Output != "json" {
		_, err = p.stdout.Write(d.Source)
		return err
	}
	parsed, err := parseYAML(d.Source)
	if err != nil {
		return err
	}
	return printValue(p.stdout, "json", parsed)
}

type definitionDeleteCommand struct {
	clientFlags
	yesFlag
	Dashboard string `arg:"" help:"Dashboard."`
}

// Run deletes the dashboard's own definition.
func (c *definitionDeleteCommand) Run(p *program) error {
	if err := c.confirm(p, fmt.Sprintf("the definition of %s is deleted, and what only its panels show is gone", c.Dashboard)); err != nil {
		return err
	}
	server, err := c.open()
	if err != nil {
		return err
	}
	defer server.Close()
	return server.Undefine(p, c.Dashboard)
}

type definitionSchemaCommand struct{}

// Run prints the schema: the bytes of docs/definition.schema.json.
func (c *definitionSchemaCommand) Run(p *program) error {
	_, err := p.stdout.Write(definition.Schema())
	return err
}

// readAll reads the definitions of several paths. It reports what is wrong in all texts at once.
func (p *program) readAll(paths []string) ([]source.Item, error) {
	var all []source.Item
	var problems definition.Problems
	for _, path := range paths {
		sources, err := p.readPath(path)
		var wrong definition.Problems
		if errors.As(err, &wrong) {
			problems = append(problems, wrong...)
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, sources...)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return all, source.DefinedTwice(all)
}

// readPath is like source.Read, and reads - from standard input.
func (p *program) readPath(path string) ([]source.Item, error) {
	if path != "-" {
		return source.Read(path)
	}
	text, err := p.readStdin()
	if err != nil {
		return nil, fmt.Errorf("read stdin: %w", err)
	}
	return source.Parse("stdin", text, messages.Key{})
}

// open returns the client that the flags describe.
func (c *clientFlags) open() (*client.Client, error) {
	return openServers(c.Server, client.Options{Token: c.Token, Tenant: c.Tenant})
}

// openServers returns a client of several servers of one cluster. It asks the first one first.
func openServers(servers []string, o client.Options) (*client.Client, error) {
	if len(servers) == 0 {
		return nil, usage("server is empty: want http://HOST:PORT, or several separated by commas")
	}
	o.Server, o.Others = servers[0], servers[1:]
	server, err := client.New(o)
	if err != nil {
		return nil, usage("%w", err)
	}
	return server, nil
}

// reachable sends a cheap request, so that a wrong address is noticed at once.
func reachable(ctx context.Context, server *client.Client) error {
	_, _, err := server.List(ctx, "", "", 1)
	var other *client.Error
	if errors.As(err, &other) && other.Code == 0 {
		return fmt.Errorf("this address is not Dashfeed's public one (--listen): %w", err)
	}
	return err
}
