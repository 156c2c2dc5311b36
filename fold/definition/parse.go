package definition

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/dashfeed/dashfeed/messages"
)

// Options say by what a text is judged.
type Options struct {
	Aggregates []string // the words and patterns allowed, from fold.Table.Names(); empty: Aggregates

	// Key, where not zero, says whose definition the text is (of a PUT, of a file of defaults): the document may leave
	// its tenant and dashboard out, and must not name others. A Key without Dashboard is a tenant's default.
	Key messages.Key
}

// Parse reads a text of one or more YAML documents (JSON is YAML), each a definition. The error is Problems: all of
// them, each with its place in file.
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
	var defs []*Definition
	seen := map[messages.Key]bool{}
	documents := yaml.NewDecoder(bytes.NewReader(joinSurrogates(src)))
	for {
		var n yaml.Node
		err := documents.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.syntax(err)
			return nil
		}
		if n.Kind != yaml.DocumentNode || n.Content[0].ShortTag() == "!!null" {
			continue // nothing between two ---
		}
		d := r.definition(n.Content[0])
		k := messages.Key{Tenant: d.Tenant, Dashboard: d.Dashboard}
		if seen[k] && k.Valid() {
			r.problem(n.Content[0], "dashboard", fmt.Sprintf("%q is defined twice in this text", k.String()))
		}
		seen[k] = true
		defs = append(defs, d)
	}
	if len(defs) == 0 {
		r.add(Problem{Message: "no definition in it"})
	}
	return defs
}

// definition reads one document.
func (r *reader) definition(n *yaml.Node) *Definition {
	d := &Definition{}
	keys := dashboardKeys
	if r.o.Key != (messages.Key{}) {
		keys = r.keysOf(r.o.Key)
	}
	readMapping(r, place{node: n}, keys, d)
	return d
}

// keysOf is the table for a document whose dashboard is known: its names are filled in, and checked where given.
func (r *reader) keysOf(k messages.Key) []key[Definition] {
	keys := append([]key[Definition](nil), dashboardKeys...)
	known := func(name, want string) {
		e := find(keys, name)
		read := e.read
		e.required, e.fallback = false, strconv.Quote(want)
		e.read = func(r *reader, at place, to *Definition) {
			if resolve(at.node).Value == want && want == "" { // a tenant's default
				return
			}
			before := len(r.problems)
			read(r, at, to)
			if got := resolve(at.node).Value; len(r.problems) == before && got != want {
				if want == "" {
					r.problem(at.node, at.path, "a tenant's default names no dashboard")
					return
				}
				r.problem(at.node, at.path, fmt.Sprintf("%q is not the %s it is for", shorten(got), name), want)
			}
		}
	}
	known("tenant", k.Tenant)
	known("dashboard", k.Dashboard)
	return keys
}

// yamlLine is how the YAML parser says where.
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

// surrogates is how JSON, but not YAML, writes a character beyond U+FFFF.
var surrogates = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)

// joinSurrogates makes JSON's pairs of escapes into YAML's one, of the same length. An escaped backslash before one
// is left alone.
func joinSurrogates(src []byte) []byte {
	if trimmed := bytes.TrimLeft(src, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return src
	}
	out, last := make([]byte, 0, len(src)), 0
	for _, m := range surrogates.FindAllIndex(src, -1) {
		backslashes := 0
		for i := m[0] - 1; i >= 0 && src[i] == '\\'; i-- {
			backslashes++
		}
		if backslashes%2 == 1 {
			continue
		}
		hi, _ := strconv.ParseUint(string(src[m[0]+2:m[0]+6]), 16, 32)
		lo, _ := strconv.ParseUint(string(src[m[0]+8:m[0]+12]), 16, 32)
		out = append(out, src[last:m[0]]...)
		out = fmt.Appendf(out, `\U%08x`, (hi-0xd800)<<10+(lo-0xdc00)+0x10000)
		last = m[1]
	}
	return append(out, src[last:]...)
}
