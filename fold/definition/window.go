package definition

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// windowKeys are the keys of `window`: one for each kind of window, and `every` for hopping. To add
// a planned kind of window, fill in its entry and remove its `later`.
var windowKeys = []key[Window]{
	sizeKey(Tumbling, "Windows of this length, one after another."),
	sizeKey(Hopping, "Windows of this length, one beginning after each `every`."),
	{
		name: "every", schema: durationSchema,
		doc:  fmt.Sprintf("Hopping: the time between two starts; at most the length, at least its %dth part.", MaxOverlap),
		read: func(r *reader, at place, to *Window) { to.Every, _ = r.duration(at, time.Millisecond) },
		write: func(from *Window) *yaml.Node {
			if from.Kind != Hopping {
				return nil
			}
			return durationNode(from.Every)
		},
	},
	sizeKey(Session, "Events of a group that are no further apart than this gap."),
	{
		name: string(Count), schema: map[string]any{"type": "integer", "minimum": 1, "maximum": MaxCount},
		doc: "This number of events of a group, in log order.",
		read: func(r *reader, at place, to *Window) {
			to.Kind = Count
			to.N, _ = r.whole(at, 1, MaxCount)
		},
		write: func(from *Window) *yaml.Node {
			if from.Kind != Count {
				return nil
			}
			return intNode(from.N)
		},
	},
	{
		name: string(Latest), schema: map[string]any{"const": true},
		doc: "`window: latest`: the newest event of every group, without end.",
		read: func(r *reader, at place, to *Window) {
			to.Kind = Latest
			if v, ok := r.truth(at); ok && !v {
				r.problem(at.node, at.path, "want true")
			}
		},
	},
	{name: "sliding", later: "sliding windows"},
	{name: "calendar", later: "calendar windows"},
	{name: "zone", later: "time zones"},
}

// windowKinds are the keys of which a window has exactly one.
var windowKinds = []string{string(Tumbling), string(Hopping), string(Session), string(Count), string(Latest)}

func sizeKey(kind WindowKind, doc string) key[Window] {
	return key[Window]{
		name: string(kind), schema: durationSchema, doc: doc,
		read: func(r *reader, at place, to *Window) {
			to.Kind = kind
			to.Size, _ = r.duration(at, time.Millisecond)
		},
		write: func(from *Window) *yaml.Node {
			if from.Kind != kind {
				return nil
			}
			return durationNode(from.Size)
		},
	}
}

// window reads `latest` or a mapping. It returns Kind "" if there was a problem.
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
	kinds := 0
	for _, kind := range windowKinds {
		if _, ok := given[kind]; ok {
			kinds++
		}
	}
	every, hops := given["every"]
	switch {
	case kinds != 1:
		r.problem(at.node, at.path, fmt.Sprintf("want exactly one kind of window, got %d", kinds), windowKinds...)
	case hops && w.Kind != Hopping:
		r.problem(every.node, every.path, "every belongs to hopping windows only")
	case !hops && w.Kind == Hopping:
		r.problem(at.node, at.path+".every", "missing: how often a hopping window begins")
	case w.Kind == Hopping:
		r.hops(every, w)
		return w
	default:
		return w
	}
	return Window{}
}

func (r *reader) windowWord(at place, word string) Window {
	switch {
	case word == string(Latest):
		return Window{Kind: Latest}
	case find(windowKeys, word) != nil && find(windowKeys, word).later != "":
		r.refuseLater(at, find(windowKeys, word).later, windowKinds)
	case find(windowKeys, word) != nil:
		r.problem(at.node, at.path, fmt.Sprintf("a %s window needs its size: {%s: 10s}", word, word), windowKinds...)
	default:
		r.unknown(at.node, at.path, "want a window, got "+describe(resolve(at.node)), word, windowKinds)
	}
	return Window{}
}

// hops checks how many windows an event falls into.
func (r *reader) hops(every place, w Window) {
	switch {
	case w.Every > w.Size:
		r.problem(every.node, every.path, fmt.Sprintf("%s is longer than the window of %s: events between two windows would be lost", durationText(w.Every), durationText(w.Size)))
	case w.Size/w.Every > MaxOverlap:
		r.problem(every.node, every.path, fmt.Sprintf("%s is less than the %dth part of %s", durationText(w.Every), MaxOverlap, durationText(w.Size)))
	case w.Panes() > MaxPanes:
		r.problem(every.node, every.path, fmt.Sprintf("the greatest common divisor of %s and %s is %s, less than the %dth part of the window; choose rounder durations",
			durationText(w.Size), durationText(w.Every), durationText(w.Size/time.Duration(w.Panes())), MaxPanes))
	}
}

func writeWindow(w *Window) *yaml.Node {
	if w.Kind == Latest {
		return textNode(string(Latest))
	}
	n := writeMapping(w, windowKeys)
	n.Style = yaml.FlowStyle
	return n
}
