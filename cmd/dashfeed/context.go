package main

import (
	"fmt"
	"strings"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages"
)

// contextFlag chooses a context for one call.
type contextFlag struct {
	Context string `help:"Context that sets server, tenant and token. Without it: the one chosen by context use." placeholder:"NAME" group:"Client"`
}

// contextCommand groups the commands on contexts.
type contextCommand struct {
	List   contextListCommand   `cmd:"" help:"Print the contexts."`
	Set    contextSetCommand    `cmd:"" help:"Create a context, or change the given fields of one."`
	Use    contextUseCommand    `cmd:"" help:"Choose the context for later commands; - chooses none."`
	Delete contextDeleteCommand `cmd:"" help:"Delete a context."`
}

type contextListCommand struct{ outputFlag }

// Run prints one line per context.
func (c *contextListCommand) Run(p *program) error {
	all, err := readContexts()
	if err != nil {
		return err
	}
	t := table{columns: []string{"NAME", "CURRENT", "SERVER", "ADMIN_SERVER", "TENANT", "TOKEN"}}
	for _, name := range all.names() {
		s := all.Named[name]
		token := s.Token
		if token != "" {
			token = "(given)"
		}
		t.add(name, name == all.Current, s.Server, s.AdminServer, s.Tenant, token)
	}
	return t.print(p.stdout, c.Output)
}

// contextSetCommand has its own flags: variables and the current context would fill in those of the
// client commands.
type contextSetCommand struct {
	Server      []string `help:"Address of the server. Of a cluster several gateways may be given." placeholder:"URL"`
	AdminServer string   `help:"Admin address of any process of the cluster." placeholder:"URL"`
	Tenant      string   `help:"Tenant." placeholder:"TENANT"`
	Token       string   `help:"Token sent to the server; - reads it from stdin, so that it is in no shell history." placeholder:"TOKEN"`
	Name        string   `arg:"" help:"Context."`
}

// Run writes the context.
func (c *contextSetCommand) Run(p *program) error {
	if err := wrongContextName(c.Name); err != nil {
		return err
	}
	all, err := readContexts()
	if err != nil {
		return err
	}
	s := all.Named[c.Name]
	if len(c.Server) > 0 {
		check, err := openServers(c.Server, client.Options{})
		if err != nil {
			return err
		}
		check.Close()
		s.Server = strings.Join(c.Server, ",")
	}
	if c.AdminServer != "" {
		if _, err := (&adminServerFlag{AdminServer: c.AdminServer}).base(); err != nil {
			return err
		}
		s.AdminServer = c.AdminServer
	}
	if c.Tenant != "" {
		if err := messages.CheckName("tenant", c.Tenant); err != nil {
			return usage("%w", err)
		}
		s.Tenant = c.Tenant
	}
	if c.Token == "-" {
		b, err := p.readStdin()
		if err != nil {
			return fmt.Errorf("read the token: %w", err)
		}
		c.Token = strings.TrimSpace(string(b))
	}
	if c.Token != "" {
		s.Token = c.Token
	}
	if s == (setting{}) {
		return usage("context %s would be empty: give --server, --admin-server, --tenant or --token", c.Name)
	}
	if all.Named == nil {
		all.Named = map[string]setting{}
	}
	all.Named[c.Name] = s
	if err := all.write(); err != nil {
		return err
	}
	p.talk("context %s is saved in %s", c.Name, all.path)
	if all.Current != c.Name {
		p.talk("dashfeed context use %s chooses it for later commands", c.Name)
	}
	return nil
}

type contextUseCommand struct {
	Name string `arg:"" help:"Context; -: none."`
}

// Run makes the context the current one.
func (c *contextUseCommand) Run(p *program) error {
	all, err := readContexts()
	if err != nil {
		return err
	}
	if c.Name == "-" {
		c.Name = ""
	} else if _, err := all.find(c.Name); err != nil {
		return err
	}
	all.Current = c.Name
	return all.write()
}

type contextDeleteCommand struct {
	yesFlag
	Name string `arg:"" help:"Context."`
}

// Run deletes the context. If it was the current one, there is none afterwards.
func (c *contextDeleteCommand) Run(p *program) error {
	all, err := readContexts()
	if err != nil {
		return err
	}
	if _, err := all.find(c.Name); err != nil {
		return err
	}
	if err := c.confirm(p, fmt.Sprintf("context %s is deleted, with its token", c.Name)); err != nil {
		return err
	}
	delete(all.Named, c.Name)
	if all.Current == c.Name {
		all.Current = ""
	}
	return all.write()
}
