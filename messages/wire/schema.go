// Package wire defines the client protocol: its frames and their codecs.
package wire

// Schema tells a client how to read cells: Schema[i] describes the cells of panel number i.
type Schema []Panel

// Panel describes one panel of a dashboard.
type Panel struct {
	Panel   string   `json:"panel"`
	Title   string   `json:"title"`
	Window  Window   `json:"window"`
	Keep    int      `json:"keep"`
	GroupBy []string `json:"groupBy"` // never nil
	Columns []string `json:"columns"`
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

// Window is a panel's window. Exactly one of Tumbling, Hopping (with Every), Session, Count and
// Latest is set. Times are in ms.
type Window struct {
	Tumbling int64 `json:"tumbling,omitempty"`
	Hopping  int64 `json:"hopping,omitempty"`
	Every    int64 `json:"every,omitempty"`
	Session  int64 `json:"session,omitempty"`
	Count    int64 `json:"count,omitempty"`
	Latest   bool  `json:"latest,omitempty"`
}

// Overflow describes the keys beyond max_groups. The cells of the overflow group have null instead
// of a group.
type Overflow struct {
	Groups int64 `json:"groups"` // estimated number of distinct keys that overflowed
}
