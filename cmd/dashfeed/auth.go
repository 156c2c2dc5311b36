package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/roles"
	trust "github.com/dashfeed/dashfeed/gateway/token"
)

// authSection is the key of the configuration file that says whose tokens are trusted. It is no
// flag: its values are lists of objects.
const authSection = "auth"

// authKeys lists the keys of an entry in auth.keys.
var authKeys = []string{"issuer", "audience", "algorithms", "jwks", "file", "secret", "tenant", "claims", "jwks_grace"}

// readAuth reads the section auth of the configuration file, if there is one. It reads the keys'
// files too, so that what is wrong with them is told with its line before anything starts.
func (c *config) readAuth(f *roles.PublicFlags) error {
	if c.path == "" {
		return nil
	}
	text, err := os.ReadFile(c.path)
	if err != nil {
		return usage("read configuration %s: %w", c.path, err)
	}
	var document yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&document); err != nil || len(document.Content) == 0 {
		return nil // loadFile has said what is wrong with it
	}
	section := fieldsOf(document.Content[0])[authSection]
	if section == nil {
		return nil
	}
	a := &authReader{path: c.path}
	f.Auth = a.section(section)
	if len(a.errs) == 0 {
		a.check(f.Auth)
	}
	return usageOf(errors.Join(a.errs...))
}

// authReader reads the section, and collects its errors.
type authReader struct {
	path    string
	errs    []error
	entries []*yaml.Node
}

func (a *authReader) wrong(at *yaml.Node, format string, args ...any) {
	a.errs = append(a.errs, fmt.Errorf("%s:%d: %w", a.path, at.Line, fmt.Errorf(format, args...)))
}

// fieldsOf returns the values of a mapping by key; nil if it is none.
func fieldsOf(n *yaml.Node) map[string]*yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		fields[n.Content[i].Value] = n.Content[i+1]
	}
	return fields
}

// fields is like fieldsOf. It reports unknown keys, keys given twice, and anything but a mapping.
func (a *authReader) fields(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	fields := fieldsOf(n)
	if fields == nil {
		a.wrong(n, "%s is not a mapping: its keys are %s", what, strings.Join(known, ", "))
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		if !slices.Contains(known, name) {
			hint := "allowed are " + strings.Join(known, ", ")
			if near, ok := nearest(name, known); ok {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			a.wrong(n.Content[i], "%s: unknown key %.100q; %s", what, name, hint)
		}
		if seen[name] {
			a.wrong(n.Content[i], "%s: key %q is given twice", what, name)
		}
		seen[name] = true
	}
	return fields
}

// text reads one text; "" if the key is not there.
func (a *authReader) text(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		a.wrong(n, "%s is not a text", what)
		return ""
	}
	return n.Value
}

// texts reads a text or a list of texts.
func (a *authReader) texts(n *yaml.Node, what string) (all []string) {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return append(all, a.text(n, what))
	}
	for _, one := range n.Content {
		all = append(all, a.text(one, "an entry of "+what))
	}
	return all
}

func (a *authReader) section(n *yaml.Node) (c trust.Config) {
	keys := a.fields(n, authSection, "keys")["keys"]
	if keys == nil || keys.Kind != yaml.SequenceNode || len(keys.Content) == 0 {
		a.wrong(n, "auth.keys is not a list of issuers: each entry has %s", strings.Join(authKeys, ", "))
		return c
	}
	a.entries = keys.Content
	for i, entry := range keys.Content {
		c.Keys = append(c.Keys, a.key(entry, fmt.Sprintf("auth.keys[%d]", i)))
	}
	return c
}

func (a *authReader) key(n *yaml.Node, what string) (k trust.Key) {
	f := a.fields(n, what, authKeys...)
	k.Issuer = a.text(f["issuer"], what+".issuer")
	k.Audience = a.texts(f["audience"], what+".audience")
	k.Algorithms = a.texts(f["algorithms"], what+".algorithms")
	k.JWKS = a.text(f["jwks"], what+".jwks")
	k.Secret = a.text(f["secret"], what+".secret")
	for _, path := range a.texts(f["file"], what+".file") {
		if path != "" && !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(a.path), path)
		}
		k.Files = append(k.Files, path)
	}
	if f["claims"] != nil {
		k.Claims = a.claims(f["claims"], what+".claims")
	}
	if f["tenant"] != nil {
		a.tenant(f["tenant"], what+".tenant", &k)
	}
	if grace := a.text(f["jwks_grace"], what+".jwks_grace"); grace != "" {
		d, err := time.ParseDuration(grace)
		if err != nil || d < 0 {
			a.wrong(f["jwks_grace"], "%s.jwks_grace %q is not a duration, such as 1h", what, grace)
		}
		if k.JWKSGrace = d; d == 0 {
			k.JWKSGrace = -1 // none
		}
	}
	return k
}

// tenant reads the tenant of an entry: a name for all of its tokens, or {claim: NAME}.
func (a *authReader) tenant(n *yaml.Node, what string, k *trust.Key) {
	if n.Kind == yaml.ScalarNode {
		k.Tenant = a.text(n, what)
		return
	}
	f := a.fields(n, what, "claim", "fixed")
	if (f["claim"] == nil) == (f["fixed"] == nil) {
		a.wrong(n, "%s: give either claim or fixed", what)
		return
	}
	k.Tenant = a.text(f["fixed"], what+".fixed")
	if name := a.text(f["claim"], what+".claim"); name != "" {
		k.Claims.Tenant = name
	}
}

func (a *authReader) claims(n *yaml.Node, what string) (c trust.Claims) {
	into := map[string]*string{
		"sub": &c.Subject, "tenant": &c.Tenant, "dashboards": &c.Dashboards,
		"permissions": &c.Permissions, "attributes": &c.Attributes, "limits": &c.Limits,
	}
	for name, value := range a.fields(n, what, slices.Sorted(maps.Keys(into))...) {
		if field := into[name]; field != nil {
			*field = a.text(value, what+"."+name)
		}
	}
	return c
}

// check reports what the verifier would not accept, with the line of the field.
func (a *authReader) check(c trust.Config) {
	err := c.Check()
	problems := trust.Problems(err)
	if err != nil && len(problems) == 0 {
		a.errs = append(a.errs, fmt.Errorf("%s: %w", a.path, err))
	}
	for _, p := range problems {
		at := a.entries[p.Entry]
		if field := fieldsOf(at)[p.Field]; field != nil {
			at = field
		}
		a.wrong(at, "%w", p)
	}
}
