package definition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/xxh3"
	"go.yaml.in/yaml/v3"
)

// Canonical is the one JSON text of d: every key in the order of the tables, every default written out. Equal
// definitions have equal bytes.
func (d *Definition) Canonical() []byte {
	return appendJSON(nil, writeMapping(d, dashboardKeys))
}

// Hash is 16 hex digits over Canonical.
func (d *Definition) Hash() string {
	return fmt.Sprintf("%016x", xxh3.Hash(d.Canonical()))
}

// ParseCanonical reads what Canonical wrote. It trusts the log: aggregate words and filters are not looked at (who
// compiles the definition finds out), but every bound is kept. A dashboard "" is a tenant's default.
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

// appendJSONText appends s quoted. < > & stay as they are: filters are full of them.
func appendJSONText(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})...)
}

// maxJSONDepth is far beyond what a definition nests.
const maxJSONDepth = 16

// jsonNode reads one JSON value as the tree that the YAML parser would give.
func jsonNode(b []byte) (*yaml.Node, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	n, err := jsonValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return n, nil
}

func jsonValue(d *json.Decoder, depth int) (*yaml.Node, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxJSONDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if t == '[' {
			n = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		}
		for d.More() {
			c, err := jsonValue(d, depth+1) // in an object keys and values come in turn
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		_, err := d.Token()
		return n, err
	case string:
		return textNode(t), nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: t.String()}, nil
	case bool:
		return boolNode(t), nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
}
