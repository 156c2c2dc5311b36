package definition

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// YAML returns d as people write it, with every default written out; Parse reads it back to the
// same definition.
func (d *Definition) YAML() []byte {
	n := writeMapping(d, dashboardKeys)
	if d.Dashboard == "" { // a tenant's default names no dashboard
		n.Content = n.Content[2:]
	}
	for i := 1; i < len(n.Content); i += 2 {
		if c := n.Content[i]; c.Kind == yaml.MappingNode {
			c.Style = yaml.FlowStyle
		}
	}
	var buf bytes.Buffer
	e := yaml.NewEncoder(&buf)
	e.SetIndent(2)
	_ = e.Encode(n) // nodes built here always encode
	return buf.Bytes()
}

func textNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

func intNode(i int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(i)}
}

func boolNode(v bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}
}

func textsNode(texts []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	for _, t := range texts {
		n.Content = append(n.Content, textNode(t))
	}
	return n
}

func durationNode(d time.Duration) *yaml.Node { return textNode(durationText(d)) }

// durationText is Duration.String without trailing zero units: 10m, not 10m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
