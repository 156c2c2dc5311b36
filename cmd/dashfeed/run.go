package main

import (
	"errors"

	"github.com/dashfeed/dashfeed/fold/definition"
)

// runCommand serves everything in one process until it is told to stop.
type runCommand struct {
	serverFlags
	Demo bool `help:"The same as the command demo."`
}

// Run serves until SIGINT or SIGTERM; stopping in good order is exit code 0.
func (c *runCommand) Run(p *program) error {
	if c.Demo {
		return (&demoCommand{serverFlags: c.serverFlags, Open: true}).Run(p)
	}
	if err := c.validate(); err != nil {
		return err
	}
	sources, err := c.sources()
	if err != nil {
		return err
	}
	return serveRole(p, newSingle(p, c.serverFlags, sources, p.stderr))
}

// sources reads the definitions that --definitions names.
func (f *dashboardFlags) sources() ([]source, error) {
	if f.Definitions == "" {
		return nil, nil
	}
	sources, err := readSources(f.Definitions)
	var problems definition.Problems
	if errors.As(err, &problems) {
		return nil, &exitError{exitUsage, problems}
	}
	if err != nil {
		return nil, usage("definitions: %w", err)
	}
	return sources, nil
}
