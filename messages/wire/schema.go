// Package wire defines the client protocol: its frames and their codecs.
package wire

import "encoding/json"

// Schema tells a client how to read cells: Schema[i] describes the cells of panel number i.
type Schema []Panel

// Panel describes one panel of a dashboard.
type Panel struct {
	Panel string `json:"panel"`
	Title string `json:"title"`
	// the parameters as a JSON object; one of them has the name of the window's kind
	Window  json.RawMessage `json:"window"`
	Axis    Axis            `json:"axis"`
	Keep    int             `json:"keep"`
	GroupBy []string        `json:"groupBy"` // never nil
	Columns []string        `json:"columns"`
	// set if keys were folded into the overflow group
	Overflow *Overflow `json:"overflow,omitempty"`
	// the labels that decide who sees a row, with the attribute that gives the values:
	// "labels.shop": "attributes.shop"; nil: the dashboard has no scope
	Scope map[string]string `json:"scope,omitempty"`
	// every viewer of a dashboard with a scope sees all rows of the panel
	Unscoped bool `json:"unscoped,omitempty"`
	// versions count the changes of the viewer's own rows only
	Quiet bool `json:"quiet,omitempty"`
}

// Axis says where a panel's windows lie, so that a reader can show windows of a kind that it does
// not know.
type Axis struct {
	Unit  Unit   `json:"unit"`
	Size  int64  `json:"size,omitempty"`  // units in one step of a cell's start and end; 0: one
	Step  int64  `json:"step,omitempty"`  // from one window's start to the next one's; 0: irregular
	Grows bool   `json:"grows,omitempty"` // the end of a window can move
	Text  string `json:"text"`            // the windows in words: "every 10 s"
}

// Unit is what the starts and ends of a panel's cells count.
type Unit string

// The units of an axis.
const (
	UnitTime   Unit = "ms"     // UTC
	UnitEvents Unit = "events" // of a group, from 0
	UnitNone   Unit = "none"   // there is one window without end: start and end are 0
)

// Overflow describes the keys beyond max_groups. The cells of the overflow group have null instead
// of a group.
type Overflow struct {
	Groups int64 `json:"groups"` // estimated number of distinct keys that overflowed
}
