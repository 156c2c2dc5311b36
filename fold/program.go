package fold

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/fold/aggregate"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Program is a compiled definition, immutable and shared by all dashboards that use it.
type Program struct {
	def       *definition.Definition
	canonical []byte
	hash      string
	schema    wire.Schema
	panels    []panelProgram // the visible panels, then the hidden one if there is one
	metrics   int            // number of the panel with the newest value per metric

	bound, idle, maxFuture, lateness int64 // ms; idle 0: never
	dedupe                           definition.DedupeBy
	horizon                          int64
}

// panelProgram is one compiled panel. Durations are in ms.
type panelProgram struct {
	id         string
	identity   string // equal for panels with equal id, window, group_by, filter and aggregates
	kind       *windowKind
	size       int64 // tumbling, hopping: length; session: gap; count: events
	every      int64 // distance between starts
	pane       int64 // hopping: length of a pane
	keep       int
	maxGroups  int
	groupBy    []groupPlace
	sharesKeys int // number of an earlier panel with the same groupBy, or -1
	filter     *definition.Filter
	layout     *aggregate.Layout
	newest     bool // the columns are value, time, metadata
	tieID      bool
	hidden     bool
	sampled    bool // some columns are computed from samples
}

// groupPlace is one element of a group: the metric, or a label.
type groupPlace struct {
	metric bool
	label  string
}

// Compile compiles a definition against a table of aggregates. Errors name the panel and what is
// allowed.
func Compile(def *definition.Definition, t Table) (*Program, error) {
	p := &Program{
		def: def, canonical: def.Canonical(), hash: def.Hash(), metrics: -1,
		bound: milliseconds(def.Time.Bound), idle: milliseconds(def.Time.Idle),
		maxFuture: milliseconds(def.Time.MaxFuture), lateness: milliseconds(def.Time.Lateness),
		dedupe: def.Dedupe.By, horizon: milliseconds(def.Dedupe.Horizon),
	}
	panes := int64(0)
	for i := range def.Panels {
		if panes += def.Panels[i].Window.Panes(); panes > definition.MaxPanes {
			return nil, fmt.Errorf("panel %q: %d panes of hopping windows up to this panel, at most %d are allowed", def.Panels[i].ID, panes, definition.MaxPanes)
		}
		pp, err := compilePanel(def, &def.Panels[i], t)
		if err != nil {
			return nil, fmt.Errorf("panel %q: %w", def.Panels[i].ID, err)
		}
		if p.metrics < 0 && pp.servesMetrics() {
			p.metrics = i
		}
		p.panels = append(p.panels, pp)
		p.schema = append(p.schema, schemaOf(def, &def.Panels[i]))
	}
	if p.metrics < 0 {
		p.metrics = len(p.panels)
		p.panels = append(p.panels, hiddenPanel(def.Tie))
	}
	for i := range p.panels {
		p.panels[i].sharesKeys = slices.IndexFunc(p.panels[:i], func(o panelProgram) bool {
			return slices.Equal(o.groupBy, p.panels[i].groupBy)
		})
	}
	return p, nil
}

func compilePanel(def *definition.Definition, d *definition.Panel, t Table) (panelProgram, error) {
	words, o := d.Aggregates, aggregate.Options{TieID: def.Tie == definition.TieID}
	pp := panelProgram{
		id: d.ID, kind: kindOf(d.Window.Kind), keep: max(1, d.Keep), maxGroups: max(1, d.MaxGroups), tieID: o.TieID,
		size: milliseconds(d.Window.Size), every: milliseconds(d.Window.Every),
	}
	if pp.kind == nil {
		return pp, fmt.Errorf("window %q is not available yet", d.Window.Kind)
	}
	var err error
	if o.Seconds, err = pp.kind.compile(&pp, d.Window); err != nil {
		return pp, err
	}
	if pp.size < 1 {
		return pp, fmt.Errorf("window %s: its size must be at least 1 ms", d.Window.Kind)
	}
	if len(words) == 0 && d.Window.Kind == definition.Latest {
		pp.newest, t, words = true, aggregate.Newest(), aggregate.Newest().Names()
	}
	if pp.layout, err = t.Layout(words, o); err != nil {
		return pp, err
	}
	pp.sampled = pp.layout.Sampled()
	for _, key := range d.GroupBy {
		label, isLabel := strings.CutPrefix(key, "labels.")
		if !isLabel && key != "metric" {
			return pp, fmt.Errorf("group_by %q is not allowed; allowed: metric, labels.NAME", key)
		}
		pp.groupBy = append(pp.groupBy, groupPlace{!isLabel, label})
	}
	if d.Filter != "" {
		if pp.filter, err = definition.CompileFilter(d.Filter); err != nil {
			return pp, fmt.Errorf("filter: %w", err)
		}
	}
	pp.identity = d.Identity(def.Tie)
	return pp, nil
}

// servesMetrics reports whether the panel shows exactly the newest value of every metric.
func (pp *panelProgram) servesMetrics() bool {
	return pp.newest && pp.filter == nil && len(pp.groupBy) == 1 && pp.groupBy[0].metric && pp.maxGroups >= MaxMetrics
}

// hiddenPanel keeps the newest value of every metric if no visible panel does.
func hiddenPanel(tie definition.Tie) panelProgram {
	o := aggregate.Options{TieID: tie == definition.TieID}
	layout, err := aggregate.Newest().Layout(aggregate.Newest().Names(), o)
	if err != nil {
		panic(err) // its own names are in its own table
	}
	return panelProgram{
		identity: fmt.Sprintf("hidden %q", tie), kind: &latestWindow, size: 1, keep: 1, maxGroups: MaxMetrics,
		groupBy: []groupPlace{{metric: true}}, layout: layout, newest: true, tieID: o.TieID, hidden: true,
	}
}

func schemaOf(def *definition.Definition, d *definition.Panel) wire.Panel {
	w := wire.Panel{
		Panel: d.ID, Title: d.Title, Keep: d.Keep, GroupBy: d.GroupBy, Columns: d.Aggregates,
	}
	w.Window, w.Axis = d.Window.Describe()
	for _, s := range def.Scope {
		if w.Scope == nil {
			w.Scope = map[string]string{}
		}
		w.Scope["labels."+s.Label] = "attributes." + s.Attribute
	}
	w.Unscoped, w.Quiet = d.Unscoped, def.Quiet
	if w.GroupBy == nil {
		w.GroupBy = []string{}
	}
	if len(w.Columns) == 0 { // only latest has none
		w.Columns = aggregate.Newest().Names()
	}
	return w
}

// Definition returns what the program was compiled from. Nobody changes it.
func (p *Program) Definition() *definition.Definition { return p.def }

// Schema describes the visible panels, without overflow.
func (p *Program) Schema() wire.Schema { return p.schema }

// Canonical returns the definition's canonical form.
func (p *Program) Canonical() []byte { return p.canonical }

// Hash returns the definition's hash, 16 hex digits.
func (p *Program) Hash() string { return p.hash }

// MetricsPanel returns the number of the panel with the newest value per metric: a visible panel
// that shows exactly that, else the hidden one after all visible ones.
func (p *Program) MetricsPanel() int { return p.metrics }

func milliseconds(d time.Duration) int64 { return d.Milliseconds() }
