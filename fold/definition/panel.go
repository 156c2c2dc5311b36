package definition

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// panelKeys are the keys of a panel.
var panelKeys = []key[Panel]{
	{
		name: "id", required: true, schema: nameSchema,
		doc:   "Names the panel; unique within the dashboard.",
		read:  func(r *reader, at place, to *Panel) { to.ID = r.name(at, "panel") },
		write: func(from *Panel) *yaml.Node { return textNode(from.ID) },
	},
	textKey("title", "The name shown to people.", func(p *Panel) *string { return &p.Title }),
	{
		name: "filter", fallback: `""`, schema: map[string]any{"type": "string", "maxLength": MaxFilterBytes},
		doc:   "An expression; only events for which it is true enter the panel. Empty: all events do. See below.",
		read:  func(r *reader, at place, to *Panel) { to.Filter = r.filter(at) },
		write: func(from *Panel) *yaml.Node { return textNode(from.Filter) },
	},
	{
		name: "window", required: true, schema: windowSchema(),
		doc:   "How the panel divides its events. See below.",
		read:  func(r *reader, at place, to *Panel) { to.Window = r.window(at) },
		write: func(from *Panel) *yaml.Node { return writeWindow(&from.Window) },
	},
	wholeKey("keep", defaultKeep, MaxKeep,
		"How many of the newest windows are kept and shown ("+keepOfKinds()+").",
		func(p *Panel) *int { return &p.Keep }),
	{
		name: "group_by", fallback: "[]", schema: groupBySchema,
		doc:   "One row for each combination of their values: `metric` or `labels.NAME`.",
		read:  func(r *reader, at place, to *Panel) { to.GroupBy = r.groupBy(at) },
		write: func(from *Panel) *yaml.Node { return textsNode(from.GroupBy) },
	},
	{
		name: "aggregates", schema: aggregatesSchema(), // the default depends on the window
		doc:   "The columns, in this order. Default: `[count, sum, avg]`; for a `latest` window value, time and metadata of the newest event.",
		read:  func(r *reader, at place, to *Panel) { to.Aggregates = r.aggregates(at) },
		write: func(from *Panel) *yaml.Node { return textsNode(from.Aggregates) },
	},
	{
		// not in the canonical form: the aggregates contain it
		name: "rate", schema: map[string]any{"enum": rates},
		doc:  "What the aggregate `rate` divides by the window's seconds: the `sum` (default) or the `count`, which is another spelling of `rate:count`.",
		read: func(*reader, place, *Panel) {}, // needs the aggregates: see readPanel
	},
	{
		name: "fill", fallback: "none", schema: map[string]any{"enum": []string{"none"}},
		doc:   "What is shown in windows without events.",
		read:  func(r *reader, at place, _ *Panel) { r.fill(at) },
		write: func(*Panel) *yaml.Node { return textNode("none") },
	},
	wholeKey("max_groups", defaultMaxGroups, MaxMaxGroups,
		"Groups beyond this number (per window; "+kindsAlone()+": per panel) are folded into one overflow group.",
		func(p *Panel) *int { return &p.MaxGroups }),
	unscopedKey,
}

// rates are the values of the key rate.
var rates = []string{"sum", "count"}

func (r *reader) panels(at place) []Panel {
	items, ok := r.items(at, "panels", MaxPanels)
	if ok && len(items) == 0 {
		r.problem(at.node, at.path, fmt.Sprintf("there is no panel, want 1 to %d", MaxPanels))
	}
	var panels []Panel
	panes := int64(0)
	for _, item := range items {
		p := r.panel(item)
		before := panes
		if own := p.Window.Panes(); own <= MaxPanes { // more is a problem of its own
			panes += own
		}
		if panes > MaxPanes && before <= MaxPanes {
			r.problem(item.node, item.key("window").path, fmt.Sprintf("the hopping windows up to here have %d panes in total (a window consists of panes as long as the greatest common divisor of its "+
				"length and every), at most %d are allowed in a dashboard", panes, MaxPanes))
		}
		if j := slices.IndexFunc(panels, func(o Panel) bool { return o.ID == p.ID }); j >= 0 && p.ID != "" {
			r.problem(item.node, item.key("id").path, fmt.Sprintf("%q is also the id of panels[%d]", shorten(p.ID), j))
		}
		panels = append(panels, p)
	}
	return panels
}

func (r *reader) panel(at place) Panel {
	var p Panel
	given := readMapping(r, at, panelKeys, &p)
	if given == nil {
		return p
	}
	aggregates, ok := given["aggregates"]
	switch {
	case p.Window.Kind == Latest || p.Window.Kind == "": // value, time, metadata; or a problem already
	case !ok:
		p.Aggregates = slices.Clone(defaultAggregates)
	case resolve(aggregates.node).Kind == yaml.SequenceNode && len(resolve(aggregates.node).Content) == 0:
		r.problem(aggregates.node, aggregates.path, "there is no aggregate; leave out the key for "+fmt.Sprint(defaultAggregates))
	}
	if rate, ok := given["rate"]; ok {
		if of, _ := r.word(rate, rates); of == "count" {
			r.rateOfCount(rate, p.Aggregates)
		}
	}
	return p
}

// rateOfCount replaces the word rate by rate:count, so that the fold knows only one spelling.
func (r *reader) rateOfCount(at place, aggregates []string) {
	i := slices.Index(aggregates, "rate")
	switch {
	case i < 0:
	case slices.Contains(aggregates, "rate:count"):
		r.problem(at.node, at.path, `with "count" the aggregates rate and rate:count are the same`)
	default:
		aggregates[i] = "rate:count"
	}
}

// fill accepts only none yet. Its other words, and the Panel field for them, belong here.
func (r *reader) fill(at place) {
	// people write the word null without quotes
	if n := resolve(at.node); n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		at.node = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "null", Line: n.Line, Column: n.Column}
	}
	r.word(at, []string{"none"}, "zero", "null", "previous")
}

func writePanels(from *Definition) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for i := range from.Panels {
		n.Content = append(n.Content, writeMapping(&from.Panels[i], panelKeys))
	}
	return n
}

// filter reads the source of a filter and checks that it compiles.
func (r *reader) filter(at place) string {
	s, ok := r.text(at, MaxFilterBytes)
	if !ok || s == "" || r.canonical {
		return s
	}
	_, err := CompileFilter(s)
	if err == nil {
		err = checkLabels(s)
	}
	if err != nil {
		r.problem(at.node, at.path, err.Error())
	}
	return s
}
