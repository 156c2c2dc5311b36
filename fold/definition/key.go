package definition

import (
	"go.yaml.in/yaml/v3"
)

// key is one key of a mapping that fills a T. The tables of keys in keys.go and window.go are the
// only list of keys: parsing, the allowed keys in errors, defaults, the canonical form, the JSON
// Schema and docs/definition.md are derived from them.
type key[T any] struct {
	name     string
	doc      string         // one sentence, for the schema and the reference
	schema   map[string]any // of the value
	required bool
	fallback string // the default, in YAML; "" if there is none or it depends on other keys
	later    string // "sliding windows": what a planned key is for; it is refused by name
	read     func(r *reader, at place, to *T)
	write    func(from *T) *yaml.Node // nil, or returning nil: not in the canonical form
}

// names lists the keys that may be used.
func names[T any](keys []key[T]) []string {
	var s []string
	for _, k := range keys {
		if k.later == "" {
			s = append(s, k.name)
		}
	}
	return s
}

func find[T any](keys []key[T], name string) *key[T] {
	for i := range keys {
		if keys[i].name == name {
			return &keys[i]
		}
	}
	return nil
}

// readMapping fills to from the mapping at a place, key by key, with defaults for those not given.
// It returns the values that were given.
func readMapping[T any](r *reader, at place, keys []key[T], to *T) map[string]place {
	given, meant := r.pairs(at, func(name string) bool { return find(keys, name) != nil }, names(keys))
	if given == nil {
		return nil
	}
	for i := range keys {
		k := &keys[i]
		value, ok := given[k.name]
		switch {
		case ok && k.later != "":
			r.refuseLater(value, k.later, names(keys))
		case ok:
			k.read(r, value, to)
		case meant[k.name]: // reported with the misspelt key
		case k.required:
			r.problem(at.node, at.key(k.name).path, "missing")
		case k.fallback != "":
			k.read(r, place{node: fallbackNode(k.fallback)}, to)
		}
	}
	return given
}

func writeMapping[T any](from *T, keys []key[T]) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, k := range keys {
		if k.write == nil {
			continue
		}
		if value := k.write(from); value != nil {
			n.Content = append(n.Content, textNode(k.name), value)
		}
	}
	return n
}

func fallbackNode(text string) *yaml.Node {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		// a mistake in a table: every parse would show it
		panic("definition: default " + text + ": " + err.Error())
	}
	return n.Content[0]
}
