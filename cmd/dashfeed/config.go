package main

import (
	"errors"
	"fmt"
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

// config is the layers below the command line: a flag wins over its variable DASHFEED_…, that over
// the file, that over the default. It is the resolver that kong asks for every flag that was not
// given.
type config struct {
	loaded    bool
	path      string
	file, env *koanf.Koanf
}

// Validate is part of kong.Resolver; what there is to check is known only with the file.
func (c *config) Validate(*kong.Application) error { return nil }

// Resolve is the value of a flag that was not given, or nil.
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
	return nil, nil
}

// source tells where the value of a flag came from.
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
	path, given := configPath(ctx)
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
			errs = append(errs, unknown("variable", k, names(known, variable)))
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
		switch {
		case !slices.Contains(known, key):
			errs = append(errs, fmt.Errorf("%s: %w", c.path, unknown("key", key, known)))
		case c.file.Get(key) == nil:
			errs = append(errs, fmt.Errorf("%s: key %q has no value: give it one, or leave the key out", c.path, key))
		}
	}
	return usageOf(errors.Join(errs...))
}

// oneDocument refuses a text of several documents: all but the first would be left out.
type oneDocument struct{ *yaml.YAML }

func (p oneDocument) Unmarshal(text []byte) (map[string]any, error) {
	settings, err := p.YAML.Unmarshal(text)
	if err != nil {
		return nil, err
	}
	return settings, singleDocument(text)
}

// configPath is the value of --config on the command line, where it is given.
func configPath(ctx *kong.Context) (path string, given bool) {
	for _, p := range ctx.Path {
		if p.Flag != nil && p.Flag.Name == "config" {
			path, given = ctx.FlagValue(p.Flag).(string)
			return path, given
		}
	}
	return "", false
}

// settings are the names that the file and the environment may give, sorted: all that config show
// shows.
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

// configurable tells the settings from the flags that belong to one call: settings have a group.
func configurable(f *kong.Flag) bool { return f.Group != nil }

func unknown(what, name string, known []string) error {
	hint := ""
	if near, ok := nearest(name, known); ok {
		hint = fmt.Sprintf(" did you mean %q?", near)
	}
	return fmt.Errorf("unknown %s %q;%s allowed: %s", what, name, hint, strings.Join(known, ", "))
}

// variable is the environment's name of a setting.
func variable(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func names(known []string, spell func(string) string) []string {
	spelled := make([]string, len(known))
	for i, k := range known {
		spelled[i] = spell(k)
	}
	return spelled
}

// text is a layer's value as it would stand on the command line.
func text(v any) string {
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, x := range list {
			parts[i] = fmt.Sprint(x)
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
