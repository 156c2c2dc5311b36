package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// program is one call of the binary: its input, its outputs and its context.
type program struct {
	context.Context
	stdin          io.Reader
	stdout, stderr io.Writer

	parser *kong.Kong
	config *config
}

// maxStdin bounds how much of standard input is read as a whole.
const maxStdin = 1 << 20

// readStdin reads all of standard input.
func (p *program) readStdin() ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(p.stdin, maxStdin+1))
	if err == nil && len(b) > maxStdin {
		err = fmt.Errorf("standard input has more than %d bytes", maxStdin)
	}
	return b, err
}

// talk writes a line for people.
func (p *program) talk(format string, args ...any) {
	fmt.Fprintln(p.stderr, visibleLines(fmt.Sprintf(format, args...)))
}

// commands is the command tree, with one file per command.
type commands struct {
	Run        runCommand        `cmd:"" group:"Servers" help:"Run everything in one process, with the embedded log."`
	Demo       demoCommand       `cmd:"" group:"Servers" help:"Run with the flights of New York in 2013, 300 times as fast, and show them. The same as run --demo."`
	Node       nodeCommand       `cmd:"" group:"Servers" help:"Run a node of a cluster on Pulsar: it holds shards; with --gateway it serves the public too."`
	Gateway    gatewayCommand    `cmd:"" group:"Servers" help:"Run a gateway of a cluster on Pulsar: it serves the public and holds no shard."`
	Publish    publishCommand    `cmd:"" group:"Dashboards" help:"Publish the events of a file: NDJSON, JSON, CSV or TSV."`
	Event      eventCommand      `cmd:"" group:"Dashboards" help:"Post single events."`
	Watch      watchCommand      `cmd:"" group:"Dashboards" help:"Watch a dashboard live in the terminal."`
	Dashboard  dashboardCommand  `cmd:"" group:"Dashboards" help:"List, read, open and delete dashboards."`
	Definition definitionCommand `cmd:"" group:"Dashboards" help:"Check, compare, apply, get and delete definitions of dashboards."`
	Fold       foldCommand       `cmd:"" group:"Dashboards" help:"Fold a file of records with the server's engine, without a server."`
	Cluster    clusterCommand    `cmd:"" group:"Operations" help:"Show the cluster, drain its members, change its keys."`
	Tenant     tenantCommand     `cmd:"" group:"Operations" help:"List and add tenants, and change their limits."`
	Token      tokenCommand      `cmd:"" group:"Operations" help:"Revoke tokens."`
	Shard      shardCommand      `cmd:"" group:"Operations" help:"Act on a shard that has stopped."`
	Context    contextCommand    `cmd:"" group:"This program" help:"Servers, tenants and tokens by name."`
	Config     configCommand     `cmd:"" group:"This program" help:"Show the configuration."`
	Version    versionCommand    `cmd:"" group:"This program" help:"Print the version."`
	Completion completionCommand `cmd:"" group:"This program" help:"Print a completion script for a shell."`
}

// later lists the commands that a later release brings.
var later = []string{"chaos", "top"}

// configFlag names the configuration file.
type configFlag struct {
	Config string `help:"Configuration file (YAML). Its keys are the names of the flags." placeholder:"FILE" group:"Configuration"`
}

// serverOf holds the flags with which client commands find the server.
type serverOf struct {
	Server []string `help:"Address of the server. Of a cluster several gateways may be given; they are tried in turn." default:"http://127.0.0.1:8080" placeholder:"URL" group:"Client"`
	Token  string   `help:"Token sent to the server." placeholder:"TOKEN" group:"Client"`
	Tenant string   `help:"Tenant. Without it: the token's, else default." placeholder:"TENANT" group:"Client"`
}

// outputFlag chooses how a table is printed.
type outputFlag struct {
	Output string `short:"o" help:"table, json or yaml." enum:"table,json,yaml" default:"table" placeholder:"FORMAT" group:"Client"`
}

// clientFlags holds the flags of every command that talks to a server.
type clientFlags struct {
	configFlag
	contextFlag
	serverOf
	outputFlag
}

// exitPanic carries the exit code that kong asks for (after --help) out of its parser.
type exitPanic int

// run parses args and runs the command that they name.
func (p *program) run(args []string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			code, ours := r.(exitPanic)
			if !ours {
				panic(r)
			}
			if code != 0 {
				err = &exitError{code: int(code)}
			}
		}
	}()
	ctx, err := p.parse(args)
	if err != nil {
		return err
	}
	return ctx.Run()
}

// parse finds the command that args name, and sets its flags.
func (p *program) parse(args []string) (*kong.Context, error) {
	if err := notYet(args); err != nil {
		return nil, err
	}
	var tree commands
	var err error
	p.config = &config{}
	p.parser, err = kong.New(&tree, kong.Name("dashfeed"),
		kong.Description("Live dashboards that are right: events in at one end, the same numbers on every screen at the other."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true, Summary: true, WrapUpperBound: 110}),
		kong.Writers(p.stdout, p.stderr), kong.Exit(func(code int) { panic(exitPanic(code)) }),
		kong.ValueFormatter(helpOf), kong.Resolvers(p.config), kong.Bind(p))
	if err != nil {
		return nil, err
	}
	showExamples(p.parser.Model)
	ctx, err := p.parser.Parse(spelled(args))
	if err != nil {
		return nil, parseError(err)
	}
	return ctx, nil
}

// spelled returns the arguments in the form that the parser accepts. People also ask for help with
// no argument or with `help COMMAND`, and for the version with --version.
func spelled(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case args[0] == "--version":
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

// helpOf returns a flag's help with its default, which kong leaves out if the flag has a
// placeholder.
func helpOf(v *kong.Value) string {
	if v.Flag == nil || v.Flag.PlaceHolder == "" || v.Default == "" || v.Default == "0" || strings.Contains(v.Help, v.Default) {
		return v.Help
	}
	return strings.TrimSuffix(v.Help, ".") + " (default: " + v.Default + ")."
}

// parseError returns kong's error in our words, with the command whose help tells more.
func parseError(err error) error {
	var known *exitError
	if errors.As(err, &known) {
		return known
	}
	command := "dashfeed"
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		if node := p.Context.Selected(); node != nil {
			command = node.FullPath()
		}
	}
	return usage("%w (see %s --help)", err, command)
}

// notYet returns an error for a command that a later release brings.
func notYet(args []string) error {
	if len(args) == 0 {
		return nil
	}
	for _, name := range later {
		if args[0] == name {
			return usage("%q is not available yet", name)
		}
	}
	return nil
}
