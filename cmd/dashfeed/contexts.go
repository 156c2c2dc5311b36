package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// contexts holds the servers that a user has named. Their file is readable by the user alone, since
// it has tokens.
type contexts struct {
	Current string             `yaml:"current,omitempty"`
	Named   map[string]setting `yaml:"contexts,omitempty"`

	path string
}

// setting is one context: the values of the flags of the same names. An empty value is not given.
type setting struct {
	Server      string `yaml:"server,omitempty"` // several with commas between
	AdminServer string `yaml:"admin-server,omitempty"`
	Tenant      string `yaml:"tenant,omitempty"`
	Token       string `yaml:"token,omitempty"`
}

// value returns the flag's value; "" if the context does not give it.
func (s setting) value(flag string) string {
	switch flag {
	case "server":
		return s.Server
	case "admin-server":
		return s.AdminServer
	case "tenant":
		return s.Tenant
	case "token":
		return s.Token
	}
	return ""
}

// readContexts reads the user's contexts. If the file does not exist, there are none.
func readContexts() (*contexts, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return &contexts{}, nil // without a home directory there is nothing to read
	}
	c := &contexts{path: filepath.Join(dir, "dashfeed", "contexts.yaml")}
	text, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, usage("read contexts: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, usage("read contexts %s: %w", c.path, err)
	}
	return c, nil
}

// find returns the context of that name.
func (c *contexts) find(name string) (setting, error) {
	if s, ok := c.Named[name]; ok {
		return s, nil
	}
	hint := "dashfeed context list prints the known ones"
	if near, ok := nearest(name, c.names()); ok {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return setting{}, usage("unknown context %q; %s", name, hint)
}

func (c *contexts) names() []string { return slices.Sorted(maps.Keys(c.Named)) }

// write replaces the file, whole or not at all.
func (c *contexts) write() error {
	if c.path == "" {
		return errors.New("contexts need a home directory: neither HOME nor XDG_CONFIG_HOME is set")
	}
	dir := filepath.Dir(c.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "contexts-*.yaml") // readable by its owner alone
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	return os.Rename(f.Name(), c.path)
}

// wrongContextName returns an error if the text can't be the name of a context.
func wrongContextName(name string) error {
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return usage("context name %q is not allowed: 1 to 64 letters, digits and signs of ASCII", name)
	}
	return nil
}
