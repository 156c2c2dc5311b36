package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// shownCell is a cell as it is printed, for people and programs.
type shownCell struct {
	Panel    string          `json:"panel" yaml:"panel"`
	Start    int64           `json:"start" yaml:"start"` // ms, or the ordinal of a count window
	End      int64           `json:"end" yaml:"end"`
	Group    []*string       `json:"group" yaml:"group,flow"` // null: overflow
	Final    bool            `json:"final" yaml:"final"`
	Revision uint32          `json:"revision" yaml:"revision"`
	Values   json.RawMessage `json:"values" yaml:"-"`

	values []cells.Value
	number int // of the panel
}

// showCell converts a cell by its view's schema.
func showCell(schema wire.Schema, c *cells.Cell) shownCell {
	s := shownCell{Start: c.Start, End: c.End, Group: groupOf(c.Group), Final: c.Revision > 0, Revision: c.Revision, number: int(c.Panel)}
	s.Values = wire.AppendRow(nil, c.Row)
	s.values, _ = c.Row.Values()
	if int(c.Panel) < len(schema) {
		s.Panel = schema[c.Panel].Panel
	}
	return s
}

// groupOf splits a group into its labels. nil is the overflow group; a nil label is a missing one.
func groupOf(g cells.Group) []*string {
	if g == cells.Overflow {
		return nil
	}
	keys, err := g.Keys()
	if err != nil {
		return nil
	}
	places := make([]*string, len(keys))
	for i, k := range keys {
		if k.Present {
			places[i] = &k.Key
		}
	}
	return places
}

// group returns the group in one word.
func (c shownCell) group() string {
	if c.Group == nil {
		return "(others)"
	}
	places := make([]string, len(c.Group))
	for i, p := range c.Group {
		places[i] = "(none)"
		if p != nil {
			places[i] = *p
		}
	}
	return strings.Join(places, " ")
}

// window returns the window as it is written for the axis.
func (c shownCell) window(axis wire.Axis) string {
	switch axis.Unit {
	case wire.UnitNone:
		return ""
	case wire.UnitEvents:
		return "#" + strconv.FormatInt(c.Start, 10)
	}
	const layout = "02 Jan 15:04:05"
	start, end := time.UnixMilli(c.Start).UTC(), time.UnixMilli(c.End).UTC()
	if start.YearDay() == end.YearDay() {
		return start.Format(layout) + "-" + end.Format("15:04:05")
	}
	return start.Format(layout) + "-" + end.Format(layout)
}

// valueText formats one value for people: numbers to two places, and as times in columns that hold
// times.
func valueText(column string, v cells.Value) string {
	switch v.Kind {
	case cells.Float:
		return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v.Float, 'f', 2, 64), "0"), ".")
	case cells.Int:
		if column == "time" {
			return time.UnixMilli(v.Int).UTC().Format("2006-01-02 15:04:05")
		}
		return strconv.FormatInt(v.Int, 10)
	case cells.JSON:
		return v.JSON
	}
	return "-"
}

// board holds the content of a view at one moment, ready to be drawn. It shares nothing with the
// view.
type board struct {
	dashboard string
	version   uint64
	time      int64 // log time, ms
	schema    wire.Schema
	cells     []shownCell // as sortCells orders them
	note      string      // stale, disconnected; "" if neither
	counters  string      // what became of its records; "" if not known yet
}

func newBoard(v *wire.View, note string) board {
	b := board{dashboard: v.Dashboard, version: v.Place().Version, time: v.Time, schema: v.Schema, note: note}
	for _, c := range v.Cells() {
		b.cells = append(b.cells, showCell(v.Schema, &c))
	}
	sortCells(b.cells)
	return b
}

// sortCells sorts cells by panel, then the newest window first, then by value, the greatest first.
func sortCells(cells []shownCell) {
	slices.SortStableFunc(cells, func(x, y shownCell) int {
		return cmp.Or(cmp.Compare(x.number, y.number), cmp.Compare(y.Start, x.Start), -compareFirst(x.values, y.values), strings.Compare(x.group(), y.group()))
	})
}

// compareFirst compares rows by their first value if both are numbers.
func compareFirst(a, b []cells.Value) int {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	return cmp.Compare(number(a[0]), number(b[0]))
}

func number(v cells.Value) float64 {
	if v.Kind == cells.Int {
		return float64(v.Int)
	}
	return v.Float
}

// panel returns the cells of one panel.
func (b board) panel(n int) []shownCell {
	first, _ := slices.BinarySearchFunc(b.cells, n, func(c shownCell, n int) int { return cmp.Compare(c.number, n) })
	last := first
	for last < len(b.cells) && b.cells[last].number == n {
		last++
	}
	return b.cells[first:last]
}
