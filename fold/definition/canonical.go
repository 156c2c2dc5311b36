package definition

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/zeebo/xxh3"
	"go.yaml.in/yaml/v3"
)

// Canonical returns the one JSON text of d: every key in the order of the tables, every default
// written out. Equal definitions have equal bytes.
func (d *Definition) Canonical() []byte {
	return appendJSON(nil, writeMapping(d, dashboardKeys))
}

// Hash returns 16 hex digits over Canonical.
func (d *Definition) Hash() string {
	return fmt.Sprintf("%016x", xxh3.Hash(d.Canonical()))
}

// ParseCanonical reads what Canonical wrote. It trusts the log: it does not check aggregate words
// and filters (compiling the definition does), but it enforces every bound. A dashboard "" is a
// tenant's default.
func ParseCanonical(b []byte) (*Definition, error) {
	n, err := jsonNode(b)
	if err != nil {
		return nil, fmt.Errorf("canonical definition: %w", err)
	}
	r := &reader{canonical: true}
	d := r.definition(n)
	if len(r.problems) > 0 {
		return nil, fmt.Errorf("canonical definition: %w", r.sorted())
	}
	return d, nil
}

// appendJSON appends a tree of nodes as JSON without spaces.
func appendJSON(b []byte, n *yaml.Node) []byte {
	switch n.Kind {
	case yaml.MappingNode:
		b = append(b, '{')
		for i := 0; i < len(n.Content); i += 2 {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, n.Content[i])
			b = append(b, ':')
			b = appendJSON(b, n.Content[i+1])
		}
		return append(b, '}')
	case yaml.SequenceNode:
		b = append(b, '[')
		for i, c := range n.Content {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, c)
		}
		return append(b, ']')
	}
	if n.Tag == "!!str" {
		return appendJSONText(b, n.Value)
	}
	return append(b, n.Value...)
}

// appendJSONText appends s quoted. It does not escape < > &, because filters are full of them.
func appendJSONText(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})...)
}
