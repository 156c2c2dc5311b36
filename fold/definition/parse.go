package definition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/dashfeed/dashfeed/messages"
)

// Options say what a text is checked against.
type Options struct {
	Aggregates []string // the allowed words and patterns, from fold.Table.Names(); empty: Aggregates

	// Key, if not zero, says whose definition the text is (for a PUT, or a file of defaults): the
	// document may omit its tenant and dashboard, and must not name others. A Key without Dashboard
	// is a tenant's default.
	Key messages.Key
}

// Parse reads a text of one or more YAML documents (JSON is YAML), each a definition. The error is
// Problems: all of them, each with its place in file.
func Parse(file string, src []byte, o Options) ([]*Definition, error) {
	r := &reader{file: file, o: o}
	defs := r.documents(src)
	if len(r.problems) > 0 {
		return nil, r.sorted()
	}
	return defs, nil
}

func (r *reader) documents(src []byte) []*Definition {
	if len(src) > MaxBytes {
		r.add(Problem{Message: fmt.Sprintf("%d bytes, at most %d are allowed", len(src), MaxBytes)})
		return nil
	}
	roots, err := parseText(src)
	var wrong *textError
	if errors.As(err, &wrong) {
		r.add(wrong.problem(src))
		return nil
	}
	if err != nil {
		r.syntax(err)
		return nil
	}
	if len(roots) == 0 {
		r.add(Problem{Message: "there is no definition in it"})
	}
	var defs []*Definition
	seen := map[messages.Key]bool{}
	for _, n := range roots {
		d := r.definition(n)
		k := messages.Key{Tenant: d.Tenant, Dashboard: d.Dashboard}
		if seen[k] && k.Valid() {
			r.problem(n, "dashboard", fmt.Sprintf("%q is defined twice in this text", k.String()))
		}
		seen[k] = true
		defs = append(defs, d)
	}
	return defs
}

// parseText returns the documents' roots. It reads JSON as JSON, not as YAML, because YAML lacks
// some of its escapes.
func parseText(src []byte) ([]*yaml.Node, error) {
	if json.Valid(src) {
		n, err := jsonNode(src)
		if err != nil {
			return nil, err
		}
		return []*yaml.Node{n}, nil
	}
	var roots []*yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var n yaml.Node
		err := documents.Decode(&n)
		if errors.Is(err, io.EOF) {
			return roots, nil
		}
		if err != nil {
			return nil, err
		}
		// Skip an empty document between two ---.
		if n.Kind == yaml.DocumentNode && n.Content[0].ShortTag() != "!!null" {
			roots = append(roots, n.Content[0])
		}
	}
}

// definition reads one document.
func (r *reader) definition(n *yaml.Node) *Definition {
	d := &Definition{}
	keys := dashboardKeys
	if r.o.Key != (messages.Key{}) {
		keys = r.keysOf(r.o.Key)
	}
	if given := readMapping(r, place{node: n}, keys, d); given != nil {
		r.checkScope(given, d)
	}
	if r.o.Key != (messages.Key{}) {
		d.Tenant, d.Dashboard = r.o.Key.Tenant, r.o.Key.Dashboard
	}
	return d
}

// keysOf returns the table for a document whose dashboard is known: its names get a default, and
// are checked if given.
func (r *reader) keysOf(k messages.Key) []key[Definition] {
	keys := slices.Clone(dashboardKeys)
	known := func(name, want string) {
		e := find(keys, name)
		e.required, e.fallback = false, strconv.Quote(want)
		e.read = func(r *reader, at place, to *Definition) {
			got, ok := r.text(at, maxText)
			switch {
			case !ok || got == want:
			case want == "":
				r.problem(at.node, at.path, "a tenant's default names no dashboard")
			default:
				r.problem(at.node, at.path, fmt.Sprintf("%q is not the %s this is for", shorten(got), name), want)
			}
		}
	}
	known("tenant", k.Tenant)
	known("dashboard", k.Dashboard)
	return keys
}

// yamlLine matches how the YAML parser reports a line.
var yamlLine = regexp.MustCompile(`^line (\d+): `)

func (r *reader) syntax(err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	r.add(Problem{Line: line, Message: "not YAML: " + message})
}
