// Package definition is a dashboard's panels as data: read from YAML or JSON with defaults and
// errors that say where, written in one canonical form, described by a JSON Schema, its filter
// compiled.
package definition

import "time"

// Definition is a dashboard's definition with every default filled in.
type Definition struct {
	Tenant    string
	Dashboard string // "" in a tenant's default
	Title     string
	Time      Time
	Dedupe    Dedupe
	Tie       Tie
	Reset     bool // the record that carries it begins a fresh history
	Panels    []Panel
}

// Time says how event time and log time are judged.
type Time struct {
	Bound     time.Duration // how far event time may be out of order
	Idle      time.Duration // windows become final after so much silent log time; 0: never
	MaxFuture time.Duration
	Lateness  time.Duration // how long after it is final a window takes corrections
}

// Dedupe says how a producer's retries are told from news.
type Dedupe struct {
	By      DedupeBy
	Horizon time.Duration
}

// DedupeBy is what makes two events copies of one.
type DedupeBy string

// The ways to tell copies.
const (
	ByID       DedupeBy = "id"
	ByProducer DedupeBy = "producer"
	ByNone     DedupeBy = "none"
)

// Tie settles which of two events of the same time came first.
type Tie string

// The ways to settle ties.
const (
	TieOrder Tie = "order" // log order
	TieID    Tie = "id"    // event id, then log order
)

// Panel is one query.
type Panel struct {
	ID      string
	Title   string
	Filter  string // expr source; "" lets everything through
	Window  Window
	Keep    int
	GroupBy []string // as written: "metric", "labels.NAME"
	// as written: "count", "p95", "rate:count"; empty only where Window is Latest: value, time,
	// metadata
	Aggregates []string
	MaxGroups  int
}

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

// Window is how a panel cuts its events.
type Window struct {
	Kind  WindowKind
	Size  time.Duration // Tumbling and Hopping: length; Session: gap
	Every time.Duration // Hopping: distance of starts; Size is a multiple of gcd(Size, Every)
	N     int           // Count: events in a window
}

// Panes is how many pieces a hopping window is put together of: as long as the greatest common
// divisor of Size and Every. It bounds in how many windows an event falls. 0 for other windows.
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
