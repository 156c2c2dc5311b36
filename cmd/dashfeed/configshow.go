package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/roles"
)

// configCommand groups the commands on the configuration.
type configCommand struct {
	Show configShowCommand `cmd:"" help:"Print every setting with its value and where it came from."`
}

// configShowCommand has the flags of every command that has settings, so that it can show their
// values.
type configShowCommand struct {
	configFlag
	roles.ServerFlags
	roles.PulsarFlags
	roles.GossipFlags
	roles.ShardFlags
	gatewayFlag
	contextFlag
	serverOf
	adminServerFlag
	outputFlag
}

// Run prints the settings.
func (c *configShowCommand) Run(p *program, ctx *kong.Context) error {
	t := table{columns: []string{"KEY", "VALUE", "SOURCE"}}
	flags := slices.DeleteFunc(slices.Clone(ctx.Selected().Flags), func(f *kong.Flag) bool { return !configurable(f) })
	slices.SortFunc(flags, func(a, b *kong.Flag) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range flags {
		value := shownValue(f, ctx.FlagValue(f))
		if f.Name == "config" {
			value = p.config.path
		}
		t.add(f.Name, value, p.config.source(ctx, f))
	}
	return t.print(p.stdout, c.Output)
}

// shownValue formats a setting as it would be given. It does not show a token.
func shownValue(f *kong.Flag, v any) string {
	if list, ok := v.([]string); ok {
		return strings.Join(list, ",")
	}
	s := fmt.Sprint(v)
	if (f.Name == "token" || f.Name == "pulsar-token") && s != "" {
		return "(given)"
	}
	return s
}
