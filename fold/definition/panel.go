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
		doc:   "Names the panel; no two of a dashboard have the same.",
		read:  func(r *reader, at place, to *Panel) { to.ID = r.name(at, "panel") },
		write: func(from *Panel) *yaml.Node { return textNode(from.ID) },
	},
	textKey("title", "What people call it.", func(p *Panel) *string { return &p.Title }),
	{
		name: "filter", fallback: `""`, schema: map[string]any{"type": "string", "maxLength": MaxFilterBytes},
		doc:   "An expression that an event must fulfil to enter the panel; empty: all do. See below.",
		read:  func(r *reader, at place, to *Panel) { to.Filter = r.filter(at) },
		write: func(from *Panel) *yaml.Node { return textNode(from.Filter) },
	},
	{
		name: "window", required: true, schema: windowSchema(),
		doc:   "How the panel cuts its events. See below.",
		read:  func(r *reader, at place, to *Panel) { to.Window = r.window(at) },
		write: func(from *Panel) *yaml.Node { return writeWindow(&from.Window) },
	},
	wholeKey("keep", defaultKeep, MaxKeep,
		"The newest so many windows are kept and shown (session: so many gaps back from the watermark; count: of every group).",
		func(p *Panel) *int { return &p.Keep }),
	{
		name: "group_by", fallback: "[]", schema: groupBySchema,
		doc:   "One row for each value of these: `metric` or `labels.NAME`.",
		read:  func(r *reader, at place, to *Panel) { to.GroupBy = r.groupBy(at) },
		write: func(from *Panel) *yaml.Node { return textsNode(from.GroupBy) },
	},
	{
		name: "aggregates", schema: aggregatesSchema(), // what is the default depends on the window
		doc:   "The columns, in this order. Default: `[count, sum, avg]`; of a `latest` window value, time and metadata of the newest event.",
		read:  func(r *reader, at place, to *Panel) { to.Aggregates = r.aggregates(at) },
		write: func(from *Panel) *yaml.Node { return textsNode(from.Aggregates) },
	},
	{
		name: "rate", schema: map[string]any{"enum": rates}, // not written: the aggregates say it
		doc:  "What the aggregate `rate` divides by the window's seconds: the `sum` (default) or the `count`, which is another way to write `rate:count`.",
		read: func(*reader, place, *Panel) {}, // needs the aggregates: readPanel
	},
	{
		name: "fill", fallback: "none", schema: map[string]any{"enum": []string{"none"}},
		doc:   "What stands in windows without events.",
		read:  func(r *reader, at place, _ *Panel) { r.fill(at) },
		write: func(*Panel) *yaml.Node { return textNode("none") },
	},
	wholeKey("max_groups", defaultMaxGroups, MaxMaxGroups,
		"Groups beyond so many (of a window; session, count, latest: of the panel) are folded into one overflow group.",
		func(p *Panel) *int { return &p.MaxGroups }),
}

// rates are what the key rate may say.
var rates = []string{"sum", "count"}

func (r *reader) panels(at place) []Panel {
	items, ok := r.items(at, "panels", MaxPanels)
	if ok && len(items) == 0 {
		r.problem(at.node, at.path, fmt.Sprintf("no panel, want 1 to %d", MaxPanels))
	}
	var panels []Panel
	panes := int64(0)
	for _, item := range items {
		p := r.panel(item)
		before := panes
		if own := p.Window.Panes(); own <= MaxPanes { // else that is a problem of its own
			panes += own
		}
		if panes > MaxPanes && before <= MaxPanes {
			r.problem(item.node, item.key("window").path, fmt.Sprintf("the hopping windows so far have %d panes together (a window is made of panes as long as its "+
				"length and every have in common), at most %d are allowed in a dashboard", panes, MaxPanes))
		}
		if j := slices.IndexFunc(panels, func(o Panel) bool { return o.ID == p.ID }); j >= 0 && p.ID != "" {
			r.problem(item.node, item.key("id").path, fmt.Sprintf("%q is the id of panels[%d] too", shorten(p.ID), j))
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
		r.problem(aggregates.node, aggregates.path, "no aggregate; leave the key out for "+fmt.Sprint(defaultAggregates))
	}
	if rate, ok := given["rate"]; ok {
		if of, _ := r.word(rate, rates); of == "count" {
			r.rateOfCount(rate, p.Aggregates)
		}
	}
	return p
}

// rateOfCount makes the word rate say what it divides, so that the fold knows one spelling only.
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

// fill takes only none yet. Its other words, and where the Panel keeps them, belong here.
func (r *reader) fill(at place) {
	// as people write the word null
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

// filter reads the source of a filter and sees whether it compiles.
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
