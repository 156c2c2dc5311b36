package foldtest

import (
	"cmp"
	"slices"
	"strconv"
)

// Cell is one cell as a viewer sees it.
type Cell struct {
	Panel      int
	Start, End int64
	Group      string
	Revision   uint32
	Values     []Value
	Serial     int // stays the same as long as it is the same cell
}

// Cells returns the cells of the visible panels, ordered by (panel, group, start).
func (d *Dashboard) Cells() []Cell {
	var cells []Cell
	for i, p := range d.panels {
		for _, w := range p.windows {
			if w.hidden {
				continue
			}
			for _, g := range w.groups {
				cells = append(cells, Cell{i, w.start, w.end, g.name, g.revision, p.values(w, g), g.serial})
			}
		}
	}
	sortCells(cells)
	return cells
}

// Metrics returns the cells of the newest value of each metric, as if they were a panel with that
// number.
func (d *Dashboard) Metrics(number int) []Cell {
	var cells []Cell
	for _, m := range d.metrics {
		cells = append(cells, Cell{Panel: number, Group: strconv.Quote(m.name), Values: newestValues(m.newest), Serial: m.serial})
	}
	sortCells(cells)
	return cells
}

// MetricsServed reports whether a visible panel shows exactly the newest value of each metric.
func (d *Dashboard) MetricsServed() bool {
	return slices.ContainsFunc(d.definition.Panels, Panel.servesMetrics)
}

// Overflowed returns how many distinct keys of a panel went to its overflow group.
func (d *Dashboard) Overflowed(panel int) int { return len(d.panels[panel].overflowed) }

func sortCells(cells []Cell) {
	slices.SortFunc(cells, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Panel, b.Panel), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Start, b.Start))
	})
}
