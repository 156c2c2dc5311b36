package main

import (
	"github.com/dashfeed/dashfeed/cmd/dashfeed/roles"
)

// runCommand serves everything in one process until it is stopped.
type runCommand struct {
	configFlag
	roles.ServerFlags
	Demo bool `help:"The same as the command demo."`
}

// Run serves until SIGINT or SIGTERM; then it stops in order, with exit code 0.
func (c *runCommand) Run(p *program) error {
	if c.Demo {
		return (&demoCommand{ServerFlags: c.ServerFlags, Open: true}).Run(p)
	}
	if err := p.config.readAuth(&c.PublicFlags); err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return err
	}
	sources, err := c.Sources()
	if err != nil {
		return err
	}
	return roles.Serve(p, roles.NewSingle(p.process(p.stderr), c.ServerFlags, sources))
}
