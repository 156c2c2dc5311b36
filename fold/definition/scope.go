package definition

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of a scope.
const (
	MaxScope  = 4       // labels
	MaxValues = 100_000 // of max_values

	defaultMaxValues = 10_000
)

// Scoped says that a viewer sees the rows whose label has a value of an attribute of the viewer's
// token.
type Scoped struct {
	Label     string // without "labels."
	Attribute string // without "attributes."
}

var (
	scopeLabel     = regexp.MustCompile(fmt.Sprintf(`^labels\.[A-Za-z_][A-Za-z0-9_.-]{0,%d}$`, maxLabelName-1))
	scopeAttribute = regexp.MustCompile(fmt.Sprintf(`^attributes\.[A-Za-z_][A-Za-z0-9_.-]{0,%d}$`, maxLabelName-1))
)

// scopeKeys are the keys of a dashboard that concern its scope. They are not in the canonical form
// of a dashboard without one.
var scopeKeys = []key[Definition]{
	{
		name: "scope", schema: scopeSchema,
		doc: "Labels with the attribute of a token that gives a viewer's values: `{labels.shop: attributes.shop}`. See below.",
		read: func(r *reader, at place, to *Definition) {
			to.Scope = r.scope(at)
		},
		write: writeScope,
	},
	{
		name: "max_values", schema: map[string]any{"type": "integer", "minimum": 1, "maximum": MaxValues, "default": defaultMaxValues},
		doc: fmt.Sprintf("With `scope`: how many tuples of scope values have rows of their own (default %d). Events of further ones are folded into one overflow group, which no scoped viewer sees.", defaultMaxValues),
		read: func(r *reader, at place, to *Definition) {
			to.MaxValues, _ = r.whole(at, 1, MaxValues)
		},
		write: func(from *Definition) *yaml.Node {
			if len(from.Scope) == 0 {
				return nil
			}
			return intNode(from.MaxValues)
		},
	},
	{
		name: "quiet", schema: map[string]any{"type": "boolean", "default": false},
		doc: "With `scope`: a viewer's version counts the changes of its own rows only, and nothing is sent while they do not change.",
		read: func(r *reader, at place, to *Definition) {
			to.Quiet, _ = r.truth(at)
		},
		write: func(from *Definition) *yaml.Node {
			if len(from.Scope) == 0 {
				return nil
			}
			return boolNode(from.Quiet)
		},
	},
}

// unscopedKey is the key of a panel that all viewers of a dashboard with a scope see.
var unscopedKey = key[Panel]{
	name: "unscoped", schema: map[string]any{"type": "boolean", "default": false},
	doc: "In a dashboard with `scope`: the panel need not group by the scope's labels, and every viewer sees all its rows, which mix the events of all values.",
	read: func(r *reader, at place, to *Panel) {
		to.Unscoped, _ = r.truth(at)
	},
	write: func(from *Panel) *yaml.Node {
		if !from.Unscoped {
			return nil
		}
		return boolNode(true)
	},
}

var scopeSchema = map[string]any{
	"type": "object", "minProperties": 1, "maxProperties": MaxScope,
	"propertyNames":        map[string]any{"pattern": scopeLabel.String()},
	"additionalProperties": map[string]any{"type": "string", "pattern": scopeAttribute.String()},
}

// scope reads the mapping from labels to attributes, and returns it ordered by label.
func (r *reader) scope(at place) []Scoped {
	given, _ := r.pairs(at, scopeLabel.MatchString, []string{"labels.NAME"})
	if given == nil {
		return nil
	}
	if n := len(given); n == 0 || n > MaxScope {
		r.problem(at.node, at.path, fmt.Sprintf("%d labels, want 1 to %d: {labels.shop: attributes.shop}", n, MaxScope))
	}
	var scope []Scoped
	for label, value := range given {
		s, ok := r.text(value, maxText)
		if ok && !scopeAttribute.MatchString(s) {
			r.problem(value.node, value.path, fmt.Sprintf("%q is no attribute of a token", shorten(s)), "attributes.NAME")
			continue
		}
		if ok {
			scope = append(scope, Scoped{strings.TrimPrefix(label, "labels."), strings.TrimPrefix(s, "attributes.")})
		}
	}
	slices.SortFunc(scope, func(a, b Scoped) int { return cmp.Compare(a.Label, b.Label) })
	return scope
}

func writeScope(from *Definition) *yaml.Node {
	if len(from.Scope) == 0 {
		return nil
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
	for _, s := range from.Scope {
		n.Content = append(n.Content, textNode("labels."+s.Label), textNode("attributes."+s.Attribute))
	}
	return n
}

// checkScope completes what depends on the scope, and refuses a panel whose rows would mix what
// different viewers may see. given holds the document's values.
func (r *reader) checkScope(given map[string]place, d *Definition) {
	_, scoped := given["scope"]
	for _, name := range []string{"max_values", "quiet"} {
		if own, ok := given[name]; ok && !scoped {
			r.problem(own.node, own.path, name+" belongs to a dashboard with scope")
		}
	}
	if !scoped {
		d.MaxValues, d.Quiet = 0, false
	} else if _, ok := given["max_values"]; !ok {
		d.MaxValues = defaultMaxValues
	}
	if r.canonical || scoped && len(d.Scope) == 0 {
		return // it comes from the log, or has a problem already
	}
	panels := given["panels"]
	if panels.node == nil {
		return
	}
	list := place{resolve(panels.node), panels.path}
	for i := range d.Panels {
		r.checkPanelScope(list.item(i), &d.Panels[i], d.Scope)
	}
}

func (r *reader) checkPanelScope(at place, p *Panel, scope []Scoped) {
	missing := p.lacks(scope)
	switch {
	case len(scope) == 0 && p.Unscoped:
		r.problem(at.node, at.key("unscoped").path, "unscoped belongs to a dashboard with scope")
	case len(scope) == 0:
	case p.Unscoped && len(missing) == 0:
		r.problem(at.node, at.key("unscoped").path, fmt.Sprintf("panel %q groups by every label of the scope, so its rows belong to viewers: leave out unscoped", shorten(p.ID)))
	case !p.Unscoped && len(missing) > 0:
		r.problem(at.node, at.key("group_by").path, fmt.Sprintf("panel %q does not group by %s of the scope, so its rows would mix what different viewers may see: "+
			"add it, or say unscoped: true to show the rows to every viewer", shorten(p.ID), strings.Join(missing, ", ")))
	}
}

// lacks returns the labels of the scope that the panel does not group by.
func (p *Panel) lacks(scope []Scoped) (missing []string) {
	for _, s := range scope {
		if name := "labels." + s.Label; !slices.Contains(p.GroupBy, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// Scoped reports whether the panel's rows belong to viewers: it groups by every label of the scope.
// The rows of other panels are shown to all viewers if the panel says so, otherwise to none of
// those who see only their own.
func (d *Definition) Scoped(p *Panel) bool {
	return len(d.Scope) > 0 && !p.Unscoped && len(p.lacks(d.Scope)) == 0
}
