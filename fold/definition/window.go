package definition

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// WindowKind is the kind of a panel's window.
type WindowKind string

// The kinds of window.
const (
	Tumbling WindowKind = "tumbling"
	Hopping  WindowKind = "hopping"
	Session  WindowKind = "session"
	Count    WindowKind = "count"
	Latest   WindowKind = "latest"
)

// Window is how a panel divides its events.
type Window struct {
	Kind  WindowKind
	Size  time.Duration // Tumbling and Hopping: length; Session: gap
	Every time.Duration // Hopping: distance between starts; Size is a multiple of gcd(Size, Every)
	N     int           // Count: events in a window
}

// kindOfWindow is one kind of window. Parsing and its errors, the canonical form, the JSON Schema,
// docs/definition.md, and what clients are told (wire.Panel) follow from the table of kinds.
type kindOfWindow struct {
	name WindowKind
	// params are the keys of `window` that only this kind has, all of them required. The first has
	// the kind's name.
	params  []param
	word    bool // `window: NAME` is its canonical form
	example string
	keep    string // how keep counts for it; "": the newest windows of the panel
	alone   bool   // each group has windows of its own, so max_groups counts per panel
	// check reports what is wrong with values that are right one by one; nil: nothing.
	check func(w Window) (param, problem string)
	axis  func(w Window) wire.Axis
}

// param is a key of `window`.
type param struct {
	key[Window]
	missing string                // what is said if it is missing
	value   func(from Window) any // to clients
}

// kinds are all kinds of window. A new one is added here, and its code in package fold.
var kinds = []kindOfWindow{
	{
		name: Tumbling, example: "{tumbling: 10s}",
		params: []param{sizeParam(Tumbling, "Windows of this length, one after another.")},
		axis: func(w Window) wire.Axis {
			return wire.Axis{Unit: wire.UnitTime, Step: w.Size.Milliseconds(), Text: everyText(w.Size)}
		},
	},
	{
		name: Hopping, example: "{hopping: 1m, every: 10s}",
		params: []param{
			sizeParam(Hopping, "Windows of this length, one beginning after each `every`."),
			durationParam("every", fmt.Sprintf("Hopping: the time between two starts; at most the length, at least its %dth part.", MaxOverlap),
				"how often a hopping window begins", func(w *Window) *time.Duration { return &w.Every }),
		},
		check: checkHops,
		axis: func(w Window) wire.Axis {
			return wire.Axis{Unit: wire.UnitTime, Step: w.Every.Milliseconds(), Text: "the last " + spanText(w.Size) + ", " + everyText(w.Every)}
		},
	},
	{
		name: Session, example: "{session: 10s}", alone: true, keep: "how many gaps back from the watermark",
		params: []param{sizeParam(Session, "Events of a group that are no further apart than this gap.")},
		axis: func(w Window) wire.Axis {
			return wire.Axis{Unit: wire.UnitTime, Grows: true, Text: "sessions, closed after " + spanText(w.Size) + " without events"}
		},
	},
	{
		name: Count, example: "{count: 100}", alone: true, keep: "per group",
		params: []param{wholeParam(string(Count), "This number of events of a group, in log order.", MaxCount, func(w *Window) *int { return &w.N })},
		axis: func(w Window) wire.Axis {
			return wire.Axis{Unit: wire.UnitEvents, Size: int64(w.N), Step: 1, Text: "every " + countText(w.N, "event")}
		},
	},
	{
		name: Latest, example: "latest", alone: true, word: true,
		params: []param{trueParam(Latest, "`window: latest`: the newest event of every group, without end.")},
		axis:   func(Window) wire.Axis { return wire.Axis{Unit: wire.UnitNone, Text: "since the beginning"} },
	},
}

// laterWindowKeys are refused by name. Whoever adds their kind removes them here.
var laterWindowKeys = []key[Window]{
	{name: "sliding", later: "sliding windows"},
	{name: "calendar", later: "calendar windows"},
	{name: "zone", later: "time zones"},
}

// Panes returns how many panes make up a hopping window; a pane is as long as the greatest common
// divisor of Size and Every. It bounds how many windows an event falls into. It is 0 for other
// windows.
func (w Window) Panes() int64 {
	if w.Kind != Hopping || w.Every <= 0 {
		return 0
	}
	a, b := w.Size, w.Every
	for b != 0 {
		a, b = b, a%b
	}
	return int64(w.Size / a)
}

// checkHops checks how many windows an event falls into.
func checkHops(w Window) (param, problem string) {
	switch {
	case w.Every > w.Size:
		problem = fmt.Sprintf("%s is longer than the window of %s: events between two windows would be lost", durationText(w.Every), durationText(w.Size))
	case w.Size/w.Every > MaxOverlap:
		problem = fmt.Sprintf("%s is less than the %dth part of %s", durationText(w.Every), MaxOverlap, durationText(w.Size))
	case w.Panes() > MaxPanes:
		problem = fmt.Sprintf("the greatest common divisor of %s and %s is %s, less than the %dth part of the window; choose rounder durations",
			durationText(w.Size), durationText(w.Every), durationText(w.Size/time.Duration(w.Panes())), MaxPanes)
	}
	return "every", problem
}

// sizeParam is the length that gives a kind its name.
func sizeParam(name WindowKind, doc string) param {
	return durationParam(string(name), doc, "", func(w *Window) *time.Duration { return &w.Size })
}

func durationParam(name, doc, missing string, field func(*Window) *time.Duration) param {
	return param{
		key: durationKey(name, "", time.Millisecond, doc, field), missing: missing,
		value: func(from Window) any { return field(&from).Milliseconds() },
	}
}

func wholeParam(name, doc string, most int, field func(*Window) *int) param {
	p := param{key: wholeKey(name, 0, most, doc, field), value: func(from Window) any { return *field(&from) }}
	p.fallback = ""
	return p
}

// trueParam is the key of a kind without parameters.
func trueParam(name WindowKind, doc string) param {
	return param{
		key: key[Window]{
			name: string(name), doc: doc, schema: map[string]any{"const": true},
			read: func(r *reader, at place, _ *Window) {
				if v, ok := r.truth(at); ok && !v {
					r.problem(at.node, at.path, "want true")
				}
			},
			write: func(*Window) *yaml.Node { return boolNode(true) },
		},
		value: func(Window) any { return true },
	}
}
