package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

const envPrefix = "DASHFEED_"

// config holds the layers below the command line: a flag overrides its variable DASHFEED_…, which
// overrides the file, the context and the default, in this order. kong asks it for every flag that
// was not given.
type config struct {
	loaded    bool
	path      string
	file, env *koanf.Koanf
	context   *chosenContext // nil: not read yet
}

// chosenContext is the context of this call; if name is empty, there is none.
type chosenContext struct {
	name string
	setting
}

// Validate implements kong.Resolver. It checks nothing: the file is not read yet.
func (c *config) Validate(*kong.Application) error { return nil }

// Resolve returns the value of a flag that was not given, or nil.
func (c *config) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	if !configurable(flag) || flag.Name == "config" {
		return nil, nil
	}
	for _, layer := range []*koanf.Koanf{c.env, c.file} {
		if layer.Exists(flag.Name) {
			return text(layer.Get(flag.Name)), nil
		}
	}
	if v, err := c.ofContext(ctx, flag); v != "" || err != nil {
		return v, err
	}
	return nil, nil
}

// ofContext returns the flag's value in the context; "" if it has none. A context's token is used
// for the context's server only.
func (c *config) ofContext(ctx *kong.Context, flag *kong.Flag) (string, error) {
	if !slices.Contains([]string{"context", "server", "admin-server", "tenant", "token"}, flag.Name) {
		return "", nil
	}
	if c.context == nil {
		c.context = &chosenContext{}
		if err := c.context.choose(c.value(ctx, "context")); err != nil {
			return "", err
		}
	}
	if flag.Name == "context" {
		return c.context.name, nil
	}
	if _, elsewhere := c.value(ctx, "server"); flag.Name == "token" && elsewhere && c.context.Server != "" {
		return "", nil
	}
	return c.context.value(flag.Name), nil
}

// choose reads the named context, or the current one if none was named.
func (c *chosenContext) choose(name string, named bool) error {
	if named && name == "" {
		return nil
	}
	all, err := readContexts()
	if err != nil {
		return err
	}
	if c.name = name; !named {
		c.name = all.Current
	}
	if c.name == "" {
		return nil
	}
	c.setting, err = all.find(c.name)
	return err
}

// value returns a setting's value from the command line, the environment or the file.
func (c *config) value(ctx *kong.Context, name string) (value string, given bool) {
	if value, given = lineValue(ctx, name); given {
		return value, true
	}
	for _, layer := range []*koanf.Koanf{c.env, c.file} {
		if layer.Exists(name) {
			return text(layer.Get(name)), true
		}
	}
	return "", false
}

// source names the layer that a flag's value came from.
func (c *config) source(ctx *kong.Context, flag *kong.Flag) string {
	given := slices.ContainsFunc(ctx.Path, func(p *kong.Path) bool {
		return p.Flag == flag && !p.Resolved
	})
	switch {
	case given:
		return "flag --" + flag.Name
	case c.env.Exists(flag.Name):
		return "env " + variable(flag.Name)
	case c.file.Exists(flag.Name):
		return "file " + c.path
	}
	if v, err := c.ofContext(ctx, flag); v != "" && err == nil {
		if flag.Name == "context" {
			return "context use"
		}
		return "context " + c.context.name
	}
	return "default"
}

// load reads the layers once, and refuses names that no flag has.
func (c *config) load(ctx *kong.Context) error {
	if c.loaded {
		return nil
	}
	c.loaded = true
	known := settings(ctx.Model)
	c.file, c.env = koanf.New("."), koanf.New(".")
	if err := c.loadEnv(known); err != nil {
		return err
	}
	path, given := lineValue(ctx, "config")
	if !given {
		path, given = c.env.String("config"), c.env.Exists("config")
	}
	if !given {
		return nil
	}
	if path == "" {
		return usage("--config is empty: name a file, or leave it out")
	}
	c.path = path
	return c.loadFile(known)
}

func (c *config) loadEnv(known []string) error {
	var errs []error
	err := c.env.Load(env.Provider(".", env.Opt{Prefix: envPrefix, EnvironFunc: os.Environ, TransformFunc: func(k, v string) (string, any) {
		name := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(k, envPrefix)), "_", "-")
		if !slices.Contains(known, name) || variable(name) != k {
			errs = append(errs, unknown("variable", k, name, known, variable))
			return "", nil
		}
		return name, v
	}}), nil)
	return usageOf(errors.Join(append(errs, err)...))
}

func (c *config) loadFile(known []string) error {
	if err := c.file.Load(file.Provider(c.path), oneDocument{yaml.Parser()}); err != nil {
		return usage("read configuration %s: %w", c.path, err)
	}
	var errs []error
	known = slices.DeleteFunc(slices.Clone(known), func(name string) bool { return name == "config" })
	for _, key := range c.file.Keys() {
		if strings.HasPrefix(key, "limit.") {
			continue // of the mapping limit, whose names are checked with the flag
		}
		switch {
		case key == authSection || strings.HasPrefix(key, authSection+"."):
			// readAuth reads it
		case !slices.Contains(known, key):
			errs = append(errs, fmt.Errorf("%s: %w", c.path, unknown("key", key, key, known, func(name string) string { return name })))
		case c.file.Get(key) == nil:
			errs = append(errs, fmt.Errorf("%s: key %q has no value: give it one, or leave the key out", c.path, key))
		}
	}
	return usageOf(errors.Join(errs...))
}

// oneDocument refuses a text with several documents: all but the first would be ignored.
type oneDocument struct{ *yaml.YAML }

func (p oneDocument) Unmarshal(text []byte) (map[string]any, error) {
	settings, err := p.YAML.Unmarshal(text)
	if err != nil {
		return nil, err
	}
	return settings, singleDocument(text)
}

// lineValue returns a flag's value on the command line, if it is given.
func lineValue(ctx *kong.Context, name string) (value string, given bool) {
	for _, p := range ctx.Path {
		if p.Flag != nil && p.Flag.Name == name && !p.Resolved {
			return fmt.Sprint(ctx.FlagValue(p.Flag)), true
		}
	}
	return "", false
}

// settings returns the names that the file and the environment may give, sorted. config show shows
// all of them.
func settings(app *kong.Application) []string {
	var known []string
	_ = kong.Visit(app, func(n kong.Visitable, next kong.Next) error {
		if f, ok := n.(*kong.Flag); ok && configurable(f) {
			known = append(known, f.Name)
		}
		return next(nil)
	})
	slices.Sort(known)
	return slices.Compact(known)
}

// configurable reports whether a flag is a setting, and not only of one call: settings have a
// group.
func configurable(f *kong.Flag) bool { return f.Group != nil }

// unknown returns a short error about a name that no setting has. spell converts a setting's name
// to that kind of name.
func unknown(what, given, name string, known []string, spell func(string) string) error {
	hint := "dashfeed config show lists the settings"
	if near, ok := nearest(name, known); ok {
		hint = fmt.Sprintf("did you mean %q?", spell(near))
	}
	return fmt.Errorf("unknown %s %q; %s", what, given, hint)
}

// variable returns the environment variable of a setting.
func variable(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// text formats a layer's value as on the command line.
func text(v any) string {
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, x := range list {
			parts[i] = fmt.Sprint(x)
		}
		return strings.Join(parts, ",")
	}
	if mapping, ok := v.(map[string]any); ok {
		parts := make([]string, 0, len(mapping))
		for _, name := range slices.Sorted(maps.Keys(mapping)) {
			parts = append(parts, fmt.Sprintf("%s=%v", name, mapping[name]))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v)
}

func usageOf(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err}
}
