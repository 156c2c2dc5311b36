package definition

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// windowKeys are the keys of `window`: the parameters of all kinds.
var windowKeys = func() (keys []key[Window]) {
	for _, k := range kinds {
		for _, p := range k.params {
			keys = append(keys, p.key)
		}
	}
	return append(keys, laterWindowKeys...)
}()

// kindNames are the keys of which a window has exactly one.
var kindNames = func() (names []string) {
	for _, k := range kinds {
		names = append(names, string(k.name))
	}
	return names
}()

// Kinds returns the names of all kinds of window.
func Kinds() []WindowKind {
	var names []WindowKind
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// windowKind returns nil for an unknown kind.
func windowKind(name WindowKind) *kindOfWindow {
	i := slices.IndexFunc(kinds, func(k kindOfWindow) bool { return k.name == name })
	if i < 0 {
		return nil
	}
	return &kinds[i]
}

// window reads the word of a kind or a mapping. It returns Kind "" if there was a problem.
func (r *reader) window(at place) Window {
	n := resolve(at.node)
	if n.Kind == yaml.ScalarNode {
		return r.windowWord(at, n.Value)
	}
	var w Window
	before := len(r.problems)
	given := readMapping(r, at, windowKeys, &w)
	if len(r.problems) > before {
		return Window{}
	}
	named := slices.DeleteFunc(slices.Clone(kindNames), func(name string) bool { _, ok := given[name]; return !ok })
	if len(named) != 1 {
		r.problem(at.node, at.path, fmt.Sprintf("want exactly one kind of window, got %d", len(named)), kindNames...)
		return Window{}
	}
	w.Kind = WindowKind(named[0])
	if r.windowParams(at, given, w); len(r.problems) > before {
		return Window{}
	}
	return w
}

// windowParams checks that a window has the parameters of its kind, no others, and allowed ones.
func (r *reader) windowParams(at place, given map[string]place, w Window) {
	before, k := len(r.problems), windowKind(w.Kind)
	for _, p := range k.params {
		if _, ok := given[p.name]; !ok {
			r.problem(at.node, at.key(p.name).path, "missing: "+p.missing)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if owner := ownerOf(name); owner != k.name {
			r.problem(given[name].node, given[name].path, fmt.Sprintf("%s belongs to %s windows only", name, owner))
		}
	}
	if k.check == nil || len(r.problems) > before {
		return
	}
	if name, problem := k.check(w); problem != "" {
		r.problem(given[name].node, given[name].path, problem)
	}
}

// ownerOf returns the kind that a key belongs to.
func ownerOf(name string) WindowKind {
	for _, k := range kinds {
		if slices.ContainsFunc(k.params, func(p param) bool { return p.name == name }) {
			return k.name
		}
	}
	return ""
}

func (r *reader) windowWord(at place, word string) Window {
	k, known := windowKind(WindowKind(word)), find(windowKeys, word)
	switch {
	case k != nil && k.word:
		return Window{Kind: k.name}
	case k != nil:
		r.problem(at.node, at.path, fmt.Sprintf("a %s window needs its size: %s", word, k.example), kindNames...)
	case known != nil && known.later != "":
		r.refuseLater(at, known.later, kindNames)
	default:
		r.unknown(at.node, at.path, "want a window, got "+describe(resolve(at.node)), word, kindNames)
	}
	return Window{}
}

// writeWindow writes an unknown kind, which package fold refuses, as an empty mapping.
func writeWindow(w *Window) *yaml.Node {
	var keys []key[Window]
	if k := windowKind(w.Kind); k != nil {
		if k.word {
			return textNode(string(k.name))
		}
		for _, p := range k.params {
			keys = append(keys, p.key)
		}
	}
	n := writeMapping(w, keys)
	n.Style = yaml.FlowStyle
	return n
}

// windowSchema describes `window`.
func windowSchema() map[string]any {
	m := mappingSchema(windowKeys)
	var one, either []any
	needs := map[string]any{} // a parameter needs the key that names its kind
	for _, k := range kinds {
		required := make([]string, 0, len(k.params))
		for i, p := range k.params {
			required = append(required, p.name)
			if i > 0 {
				needs[p.name] = []string{string(k.name)}
			}
		}
		one = append(one, map[string]any{"required": required})
		if k.word {
			either = append(either, map[string]any{"const": string(k.name)})
		}
	}
	m["oneOf"], m["dependentRequired"] = one, needs
	return map[string]any{"anyOf": append(either, m)}
}

// Describe describes the window to clients: its parameters as a JSON object, and its axis. The
// window's kind is one of Kinds.
func (w Window) Describe() (params json.RawMessage, axis wire.Axis) {
	k := windowKind(w.Kind)
	b := []byte{'{'}
	for i, p := range k.params {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(wire.AppendString(b, p.name), ':')
		value, err := json.Marshal(p.value(w))
		if err != nil {
			// only numbers, text and true: every test would show a failure
			panic("definition: window: " + err.Error())
		}
		b = append(b, value...)
	}
	return append(b, '}'), k.axis(w)
}
