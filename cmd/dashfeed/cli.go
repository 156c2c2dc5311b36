package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// program is one call of the binary: where it reads and writes, and how long it may run.
type program struct {
	context.Context
	stdin          io.Reader
	stdout, stderr io.Writer

	parser *kong.Kong
	config *config
}

// maxStdin bounds what is read of standard input as a whole.
const maxStdin = 1 << 20

// readStdin is all of standard input.
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

// commands is the command tree; a file a subcommand.
type commands struct {
	Run        runCommand        `cmd:"" group:"Servers" help:"Run everything in one process, with the embedded log."`
	Demo       demoCommand       `cmd:"" group:"Servers" help:"Run with the flights of New York in 2013, 300 times as fast, and show them (run --demo)."`
	Node       nodeCommand       `cmd:"" group:"Servers" help:"Run a node of a cluster on Pulsar: it holds shards; with --gateway it serves the public too."`
	Gateway    gatewayCommand    `cmd:"" group:"Servers" help:"Run a gateway of a cluster on Pulsar: it serves the public and holds no shard."`
	Publish    publishCommand    `cmd:"" group:"Dashboards" help:"Publish the events of a file: NDJSON, JSON, CSV or TSV."`
	Event      eventCommand      `cmd:"" group:"Dashboards" help:"Post single events."`
	Watch      watchCommand      `cmd:"" group:"Dashboards" help:"Watch a dashboard live in the terminal."`
	Dashboard  dashboardCommand  `cmd:"" group:"Dashboards" help:"List, read, open and delete dashboards."`
	Definition definitionCommand `cmd:"" group:"Dashboards" help:"Check, compare, apply, get and delete definitions of dashboards."`
	Fold       foldCommand       `cmd:"" group:"Dashboards" help:"Fold a file of records with the server's engine, without a server."`
	Cluster    clusterCommand    `cmd:"" group:"Operations" help:"See the cluster, drain its members, change its keys."`
	Tenant     tenantCommand     `cmd:"" group:"Operations" help:"List and add tenants."`
	Shard      shardCommand      `cmd:"" group:"Operations" help:"What to do with a shard that has stopped."`
	Context    contextCommand    `cmd:"" group:"This program" help:"Servers, tenants and tokens by name."`
	Config     configCommand     `cmd:"" group:"This program" help:"The configuration in force."`
	Version    versionCommand    `cmd:"" group:"This program" help:"Print the version."`
	Completion completionCommand `cmd:"" group:"This program" help:"Print a completion script for a shell."`
}

// later are the commands that a later release brings.
var later = []string{"chaos", "token", "top"}

// configFlag is where the configuration file is given.
type configFlag struct {
	Config string `help:"Configuration file (YAML); its keys are the names of the flags." placeholder:"FILE" group:"Configuration"`
}

// publicFlags say where the public is served, and who is let in.
type publicFlags struct {
	Listen         string   `help:"Public address: events, dashboards, WebSockets." default:"127.0.0.1:8080" placeholder:"ADDR" group:"Server"`
	Origins        []string `help:"Further origins that browsers may come from, such as https://dash.example.com." placeholder:"ORIGIN" group:"Server"`
	Hosts          []string `help:"Names by which both addresses are asked, besides IP addresses, localhost and those of --origins." placeholder:"NAME" group:"Server"`
	TrustedProxies []string `help:"Networks of proxies, such as 10.0.0.0/8, whose X-Forwarded-For says who comes." placeholder:"NETWORK" group:"Server"`
	Insecure       bool     `help:"Listen on addresses that other machines reach, though nothing on them asks who comes." group:"Server"`
}

// adminFlags say where and how the operator is served.
type adminFlags struct {
	Admin    string `help:"Admin address: health, metrics, profiles, the cluster's commands." default:"127.0.0.1:9090" placeholder:"ADDR" group:"Server"`
	LogLevel string `help:"Least level logged on stderr: debug, info, warn, error." enum:"debug,info,warn,error" default:"info" group:"Server"`
}

// storageFlags say where the log lies and how much of it is kept.
type storageFlags struct {
	Data           string        `help:"Data directory: the log and the checkpoints." default:"data" placeholder:"DIR" group:"Storage"`
	Partitions     int           `help:"Partitions of a new log, fixed once it is made; 0: as stored, 8 where it is new." default:"0" group:"Storage"`
	RetentionAge   time.Duration `help:"Records are kept so long, where there is room for them." default:"24h" placeholder:"DURATION" group:"Storage"`
	RetentionBytes size          `help:"The log keeps at most about so much." default:"1GiB" placeholder:"SIZE" group:"Storage"`
	reserveFlag
}

// reserveFlag says how much of a disk is left free.
type reserveFlag struct {
	Reserve size `help:"Free disk space below which nothing more is written; 0: 256MiB, or 5% of a smaller volume." default:"0" placeholder:"SIZE" group:"Storage"`
}

// dashboardFlags say how dashboards live.
type dashboardFlags struct {
	Definitions string        `help:"Definitions to apply at start: a file, or a directory of YAML files." placeholder:"PATH" group:"Dashboards"`
	Flush       time.Duration `help:"Changes are sent at most this often, 0-100ms; the first after quiet goes out at once." default:"5ms" placeholder:"DURATION" group:"Dashboards"`
	Checkpoint  time.Duration `help:"How often a shard's state is saved." default:"5s" placeholder:"DURATION" group:"Dashboards"`
	Sleep       time.Duration `help:"A dashboard without event and viewer for so long goes to sleep." default:"60s" placeholder:"DURATION" group:"Dashboards"`
}

// serverFlags are the flags of run and demo.
type serverFlags struct {
	configFlag
	publicFlags
	adminFlags
	storageFlags
	dashboardFlags
}

// validate checks what kong's types cannot.
func (f *serverFlags) validate() error {
	wrong := append(f.storageFlags.wrong(), f.dashboardFlags.wrong()...)
	return refusals(append(wrong, f.publicFlags.wrong(address{flag: "listen", at: f.Listen}, address{flag: "admin", at: f.Admin})...))
}

func (f *storageFlags) wrong() (errs []error) {
	if f.Partitions < 0 || f.Partitions > 1024 {
		errs = append(errs, fmt.Errorf("partitions %d is not allowed: 1 to 1024, or 0 for as many as stored", f.Partitions))
	}
	if f.RetentionAge <= 0 {
		errs = append(errs, fmt.Errorf("retention-age %s is not allowed: it must be above 0", f.RetentionAge))
	}
	if f.Data == "" {
		errs = append(errs, errors.New("data is empty: name a directory"))
	}
	return errs
}

func (f *dashboardFlags) wrong() (errs []error) {
	if f.Flush < 0 || f.Flush > 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("flush %s is not allowed: 0 to 100ms", f.Flush))
	}
	if f.Checkpoint <= 0 {
		errs = append(errs, fmt.Errorf("checkpoint %s is not allowed: it must be above 0", f.Checkpoint))
	}
	if f.Sleep <= 0 {
		errs = append(errs, fmt.Errorf("sleep %s is not allowed: it must be above 0", f.Sleep))
	}
	return errs
}

// refusals is one error of usage of all that is wrong; nil where none of errs is one.
func refusals(errs []error) error { return usageOf(errors.Join(errs...)) }

// serverOf are the flags with which client commands find the server.
type serverOf struct {
	Server []string `help:"Address of the server; of a cluster's gateways several, tried in turn." default:"http://127.0.0.1:8080" placeholder:"URL" group:"Client"`
	Token  string   `help:"Token to show." placeholder:"TOKEN" group:"Client"`
	Tenant string   `help:"Tenant; not given: the token's, else default." placeholder:"TENANT" group:"Client"`
}

// outputFlag chooses how a table is printed.
type outputFlag struct {
	Output string `short:"o" help:"table, json or yaml." enum:"table,json,yaml" default:"table" placeholder:"FORMAT" group:"Client"`
}

// clientFlags are the flags of every command that talks to a server.
type clientFlags struct {
	configFlag
	contextFlag
	serverOf
	outputFlag
}

// exitPanic carries the exit code that kong asks for (after --help) out of its parser.
type exitPanic int

// run parses args and runs the command they name.
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

// parse finds the command that args name, and fills its flags.
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

// spelled are the arguments as the parser takes them: people also ask for help with no argument or
// with `help COMMAND`, and for the version with --version.
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

// helpOf is a flag's help with its default, which kong leaves out where there is a placeholder.
func helpOf(v *kong.Value) string {
	if v.Flag == nil || v.Flag.PlaceHolder == "" || v.Default == "" || v.Default == "0" || strings.Contains(v.Help, v.Default) {
		return v.Help
	}
	return strings.TrimSuffix(v.Help, ".") + " (default: " + v.Default + ")."
}

// parseError makes kong's error ours, with the command whose help tells more.
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

// notYet names the commands that are still to come.
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
