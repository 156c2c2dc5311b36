package definition

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/dashfeed/dashfeed/messages"
)

// Bounds of a definition, and the defaults that are used in several places.
const (
	MaxBytes      = 256 << 10 // of a text with all its documents
	MaxPanels     = 64
	MaxGroupBy    = 16
	MaxAggregates = 32
	MaxKeep       = 10_000
	MaxMaxGroups  = 100_000
	MaxCount      = 1_000_000 // events of a count window
	MaxOverlap    = 1_000     // windows of a hopping panel that one event falls into
	MaxPanes      = 5_000     // panes of all hopping panels, see Window.Panes

	maxText          = 1_000 // characters of a title
	maxLabelName     = 64
	defaultKeep      = 60
	defaultMaxGroups = 1_000
)

// dashboardKeys are the keys of a document.
var dashboardKeys = slices.Insert([]key[Definition]{
	{
		name: "dashboard", required: true, schema: nameSchema,
		doc:   "The name of the dashboard.",
		read:  func(r *reader, at place, to *Definition) { to.Dashboard = r.name(at, "dashboard") },
		write: func(from *Definition) *yaml.Node { return textNode(from.Dashboard) },
	},
	{
		name: "tenant", fallback: messages.DefaultTenant, schema: nameSchema,
		doc:   "The tenant that the dashboard belongs to.",
		read:  func(r *reader, at place, to *Definition) { to.Tenant = r.name(at, "tenant") },
		write: func(from *Definition) *yaml.Node { return textNode(from.Tenant) },
	},
	textKey("title", "The name shown in lists and on the page.", func(d *Definition) *string { return &d.Title }),
	{
		name: "time", fallback: "{}", schema: mappingSchema(timeKeys),
		doc:   "How event time and log time are judged.",
		read:  func(r *reader, at place, to *Definition) { readMapping(r, at, timeKeys, &to.Time) },
		write: func(from *Definition) *yaml.Node { return writeMapping(&from.Time, timeKeys) },
	},
	{
		name: "dedupe", fallback: "{}", schema: mappingSchema(dedupeKeys),
		doc:   "How duplicates are recognised.",
		read:  func(r *reader, at place, to *Definition) { readMapping(r, at, dedupeKeys, &to.Dedupe) },
		write: func(from *Definition) *yaml.Node { return writeMapping(&from.Dedupe, dedupeKeys) },
	},
	wordKey("tie", "Which of two events with the same time counts as the first: `order`, the first in the log, or `id`, the one with the lower id (for regions that must agree).",
		[]Tie{TieOrder, TieID}, func(d *Definition) *Tie { return &d.Tie }),
	{
		name: "reset", fallback: "false", schema: map[string]any{"type": "boolean"},
		doc:   "A record with `true` begins a new history: every panel starts empty and the watermark starts again.",
		read:  func(r *reader, at place, to *Definition) { to.Reset, _ = r.truth(at) },
		write: func(from *Definition) *yaml.Node { return boolNode(from.Reset) },
	},
	{
		name: "panels", required: true, schema: panelsSchema,
		doc:   fmt.Sprintf("The panels, 1 to %d, in display order.", MaxPanels),
		read:  func(r *reader, at place, to *Definition) { to.Panels = r.panels(at) },
		write: writePanels,
	},
}, scopeAt, scopeKeys...)

// scopeAt is where the keys of the scope stand among those of a document: after tie.
const scopeAt = 6

// timeKeys are the keys of `time`.
var timeKeys = []key[Time]{
	durationKey("bound", "2s", 0, "How far out of order event times may be: the watermark stays this far behind the newest event.",
		func(t *Time) *time.Duration { return &t.Bound }),
	{
		name: "idle", fallback: "10s", schema: map[string]any{"anyOf": []any{durationSchema, map[string]any{"const": "none"}}},
		doc: "Windows become final after this much log time without an event, whether or not anybody watches; `none`: never.",
		read: func(r *reader, at place, to *Time) {
			if n := resolve(at.node); n.Kind == yaml.ScalarNode && n.Value == "none" {
				return // Idle stays 0
			}
			to.Idle, _ = r.duration(at, time.Millisecond)
		},
		write: func(from *Time) *yaml.Node {
			if from.Idle == 0 {
				return textNode("none")
			}
			return durationNode(from.Idle)
		},
	},
	durationKey("max_future", "60s", 0, "An event further ahead of log time than this is counted as `future` and ignored.",
		func(t *Time) *time.Duration { return &t.MaxFuture }),
	durationKey("lateness", "30s", 0, "How long after its end, by the watermark, a window still accepts corrections.",
		func(t *Time) *time.Duration { return &t.Lateness }),
}

// dedupeKeys are the keys of `dedupe`.
var dedupeKeys = []key[Dedupe]{
	wordKey("by", "What makes two events duplicates: their `id`, their `producer` and sequence, or nothing.",
		[]DedupeBy{ByID, ByProducer, ByNone}, func(d *Dedupe) *DedupeBy { return &d.By }),
	durationKey("horizon", "10m", time.Millisecond, "How long, by the watermark, an id is remembered.",
		func(d *Dedupe) *time.Duration { return &d.Horizon }),
}

// name reads the name of a tenant, dashboard or panel.
func (r *reader) name(at place, what string) string {
	s, ok := r.text(at, maxText)
	if !ok || s == "" && what == "dashboard" && r.canonical {
		return "" // a tenant's default
	}
	if err := messages.CheckName(what, s); err != nil {
		r.problem(at.node, at.path, err.Error())
	}
	return s
}

func textKey[T any](name, doc string, field func(*T) *string) key[T] {
	return key[T]{
		name: name, fallback: `""`, doc: doc, schema: map[string]any{"type": "string", "maxLength": maxText},
		read:  func(r *reader, at place, to *T) { *field(to), _ = r.text(at, maxText) },
		write: func(from *T) *yaml.Node { return textNode(*field(from)) },
	}
}

// wordKey returns a key whose value is one of the words; the first is the default.
func wordKey[T any, W ~string](name, doc string, words []W, field func(*T) *W) key[T] {
	var allowed []string
	for _, w := range words {
		allowed = append(allowed, string(w))
	}
	return key[T]{
		name: name, fallback: allowed[0], doc: doc, schema: map[string]any{"enum": allowed},
		read: func(r *reader, at place, to *T) {
			s, _ := r.word(at, allowed)
			*field(to) = W(s)
		},
		write: func(from *T) *yaml.Node { return textNode(string(*field(from))) },
	}
}

func durationKey[T any](name, fallback string, least time.Duration, doc string, field func(*T) *time.Duration) key[T] {
	return key[T]{
		name: name, fallback: fallback, doc: doc, schema: durationSchema,
		read:  func(r *reader, at place, to *T) { *field(to), _ = r.duration(at, least) },
		write: func(from *T) *yaml.Node { return durationNode(*field(from)) },
	}
}

func wholeKey[T any](name string, fallback, most int, doc string, field func(*T) *int) key[T] {
	return key[T]{
		name: name, fallback: fmt.Sprint(fallback), doc: doc, schema: map[string]any{"type": "integer", "minimum": 1, "maximum": most},
		read:  func(r *reader, at place, to *T) { *field(to), _ = r.whole(at, 1, most) },
		write: func(from *T) *yaml.Node { return intNode(*field(from)) },
	}
}

// groupKey matches what a panel may group by.
var groupKey = regexp.MustCompile(fmt.Sprintf(`^(metric|labels\.[A-Za-z_][A-Za-z0-9_.-]{0,%d})$`, maxLabelName-1))

func (r *reader) groupBy(at place) []string {
	items, _ := r.items(at, "group keys", MaxGroupBy)
	var keys []string
	for _, item := range items {
		s, ok := r.text(item, maxText)
		switch {
		case !ok:
		case !groupKey.MatchString(s):
			r.problem(item.node, item.path, fmt.Sprintf("cannot group by %q", shorten(s)), "metric", "labels.NAME")
		case slices.Contains(keys, s):
			r.problem(item.node, item.path, fmt.Sprintf("%q is given twice", s))
		default:
			keys = append(keys, s)
		}
	}
	return keys
}
