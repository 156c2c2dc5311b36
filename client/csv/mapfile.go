package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// maxMapFileBytes bounds the size of a file of mappings.
const maxMapFileBytes = 1 << 20

// ReadMappings reads a YAML (or JSON) list of mappings. Each is a list of rules as on the command
// line, or a map from fields to the right sides of their rules, in which labels and metadata may be
// maps of their own:
//
//   - {dashboard: =departures, metric: =dep_delay, value: dep_delay, time: time, id: "@row",
//     labels: {carrier: carrier}}
//   - [dashboard==airports, metric==departures, value==1, labels.origin=origin]
//
// file is the name in errors, which have the form file:line:column.
func ReadMappings(file string, r io.Reader) ([]Mapping, error) {
	src, err := io.ReadAll(io.LimitReader(r, maxMapFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(src) > maxMapFileBytes {
		return nil, fmt.Errorf("%s: more than %d bytes", file, maxMapFileBytes)
	}
	var doc yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(src))
	if err := documents.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := documents.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: it has a second document (---); only one is allowed", file)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.SequenceNode || len(doc.Content[0].Content) == 0 {
		return nil, fmt.Errorf("%s: want a list of mappings, each a list of rules (metric==dep_delay) or a map (metric: =dep_delay)", file)
	}
	var all []Mapping
	var errs []error
	for _, node := range doc.Content[0].Content {
		m, err := readMapping(node)
		if err == nil {
			if err = m.check(); err != nil {
				err = at(node, err)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%w", file, err))
		}
		all = append(all, m)
	}
	return all, errors.Join(errs...)
}

func at(n *yaml.Node, err error) error { return fmt.Errorf("%d:%d: %w", n.Line, n.Column, err) }

func readMapping(n *yaml.Node) (Mapping, error) {
	switch n.Kind {
	case yaml.SequenceNode:
		var m Mapping
		for _, rule := range n.Content {
			one, err := readRule(rule)
			if err != nil {
				return nil, at(rule, err)
			}
			m = append(m, one)
		}
		return m, nil
	case yaml.MappingNode:
		return readFields("", n)
	}
	return nil, at(n, errors.New("a mapping is a list of rules (metric==dep_delay) or a map (metric: =dep_delay)"))
}

func readRule(n *yaml.Node) (Rule, error) {
	if n.Kind != yaml.ScalarNode {
		return Rule{}, errors.New("a rule is a text such as metric==dep_delay")
	}
	for i := range len(n.Value) {
		if n.Value[i] == '=' {
			r, err := parseRule(n.Value[:i], n.Value[i+1:])
			if err != nil {
				err = fmt.Errorf("%q: %w", n.Value, err)
			}
			return r, err
		}
	}
	return Rule{}, fmt.Errorf("%q has no =: FIELD=COLUMN, FIELD==CONSTANT or FIELD=@row", n.Value)
}

// readFields reads a map of fields; under is the prefix of the nested map, "labels." or
// "metadata.".
func readFields(under string, n *yaml.Node) (Mapping, error) {
	var m Mapping
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case value.Kind == yaml.ScalarNode:
			r, err := parseRule(under+key.Value, value.Value)
			if err != nil {
				return nil, at(key, err)
			}
			m = append(m, r)
		case value.Kind == yaml.MappingNode && under == "" && (key.Value == "labels" || key.Value == "metadata"):
			inner, err := readFields(key.Value+".", value)
			if err != nil {
				return nil, err
			}
			m = append(m, inner...)
		default:
			return nil, at(value, fmt.Errorf("%q is COLUMN, =CONSTANT or @row", under+key.Value))
		}
	}
	return m, nil
}
