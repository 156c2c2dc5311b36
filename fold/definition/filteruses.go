package definition

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/dashfeed/dashfeed/messages/event"
)

// filterGuard walks an expression before it is compiled. It refuses what could cost without bound,
// and records which fields of an event are used.
type filterGuard struct {
	refused string
	names   []string // identifiers, with repetitions
	labels  []string // from labels.NAME and labels["NAME"]
	prices  *pricer
}

// Visit examines one node, after its children.
func (g *filterGuard) Visit(node *ast.Node) {
	g.prices.visit(*node)
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		g.names = append(g.names, n.Value)
		if n.Value == "$env" {
			g.refuse("$env is not available")
		}
	case *ast.MemberNode:
		if of, ok := n.Node.(*ast.IdentifierNode); ok && of.Value == "labels" {
			if name, ok := n.Property.(*ast.StringNode); ok {
				g.labels = append(g.labels, name.Value)
			}
		}
	case *ast.BinaryNode:
		g.binary(n)
	case *ast.BuiltinNode:
		g.trim(n.Name, n.Arguments)
	case *ast.CallNode:
		if f, ok := n.Callee.(*ast.IdentifierNode); ok {
			g.trim(f.Value, n.Arguments)
		}
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		// x + x, and that doubled again, a hundred times
		g.refuse("variables (let, ;) are not available")
	case *ast.PredicateNode, *ast.PointerNode:
		g.refuse("predicates ({…}, #) are not available")
	}
}

func (g *filterGuard) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "..":
		g.refuse("ranges (..) are not available")
	case "matches": // otherwise every event would compile it
		pattern, ok := n.Right.(*ast.StringNode)
		if !ok {
			g.refuse("the pattern of matches must be written out")
			return
		}
		if size := instructions(pattern.Value); size > maxPattern {
			g.refuse(fmt.Sprintf("the pattern of matches compiles to %d instructions, at most %d are allowed", size, maxPattern))
		}
	}
}

// trim refuses a set of characters taken from an event: the cost would be its length times that of
// the text.
func (g *filterGuard) trim(name string, arguments []ast.Node) {
	if name != "trim" || len(arguments) < 2 {
		return
	}
	if _, ok := arguments[1].(*ast.StringNode); !ok {
		g.refuse("the characters that trim takes away must be written out")
	}
}

func (g *filterGuard) refuse(what string) {
	if g.refused == "" {
		g.refused = what
	}
}

func (g *filterGuard) uses() filterUses {
	has := func(name string) bool { return slices.Contains(g.names, name) }
	u := filterUses{metric: has("metric"), value: has("value"), time: has("time"), id: has("id"), metadata: has("metadata")}
	mentions := 0
	for _, name := range g.names {
		if name == "labels" {
			mentions++
		}
	}
	u.allLabels = mentions > len(g.labels)
	if !u.allLabels {
		slices.Sort(g.labels)
		u.labels = slices.Compact(g.labels)
	}
	return u
}

// filterUses are the fields of an event that a filter needs.
type filterUses struct {
	metric, value, time, id, metadata bool

	labels    []string
	allLabels bool
}

// fill puts an event into s. It keeps strings of the previous event if they are equal, as copies,
// because the event's own strings may change.
func (u *filterUses) fill(s *filterState, e *event.Event) {
	if u.metric {
		keep(s.env, "metric", e.Metric)
	}
	if u.value {
		s.env["value"] = e.Value
	}
	if u.time {
		s.env["time"] = e.Time
	}
	if u.id {
		s.env["id"] = e.ID
	}
	if u.metadata {
		s.env["metadata"] = decodeMetadata(e.Metadata)
	}
	for _, name := range u.labels {
		if value, ok := e.Label(name); ok {
			keep(s.labels, name, value)
		} else {
			delete(s.labels, name)
		}
	}
	if u.allLabels {
		clear(s.labels)
		for _, l := range e.Labels {
			s.labels[strings.Clone(l.Name)] = l.Value
		}
	}
}

func keep(m map[string]any, name, value string) {
	if old, ok := m[name].(string); !ok || old != value {
		m[name] = strings.Clone(value)
	}
}

func decodeMetadata(text []byte) any {
	var v any
	if len(text) == 0 || json.Unmarshal(text, &v) != nil {
		return nil
	}
	return v
}

// price adds to the cost of the nodes the cost of copying all labels, if the expression does not
// name those it needs.
func (g *filterGuard) price() price {
	if g.uses().allLabels {
		return g.prices.total.plus(priceOf(sizeOfLabels).times(4)) // a text and an entry for each
	}
	return g.prices.total
}
