// Package definition is a dashboard's panels as data. It reads them from YAML or JSON, with
// defaults and errors that say where, writes one canonical form, describes them by a JSON Schema,
// and compiles filters.
package definition

import (
	"fmt"
	"time"
)

// Definition is a dashboard's definition with every default filled in.
type Definition struct {
	Tenant    string
	Dashboard string // "" in a tenant's default
	Title     string
	Time      Time
	Dedupe    Dedupe
	Tie       Tie
	Scope     []Scoped // ordered by label; empty: every viewer sees all rows
	MaxValues int      // 0 without Scope
	Quiet     bool     // false without Scope
	Reset     bool     // the record that carries it begins a new history
	Panels    []Panel
}

// Time says how event time and log time are judged.
type Time struct {
	Bound     time.Duration // how far event time may be out of order
	Idle      time.Duration // windows become final after this much silent log time; 0: never
	MaxFuture time.Duration
	Lateness  time.Duration // how long after its end a window accepts corrections
}

// Dedupe says how a producer's retries are recognised.
type Dedupe struct {
	By      DedupeBy
	Horizon time.Duration
}

// DedupeBy is what makes two events duplicates.
type DedupeBy string

// The ways to recognise duplicates.
const (
	ByID       DedupeBy = "id"
	ByProducer DedupeBy = "producer"
	ByNone     DedupeBy = "none"
)

// Tie decides which of two events with the same time came first.
type Tie string

// The ways to break ties.
const (
	TieOrder Tie = "order" // log order
	TieID    Tie = "id"    // event id, then log order
)

// Panel is one query.
type Panel struct {
	ID      string
	Title   string
	Filter  string // expr source; "" passes every event
	Window  Window
	Keep    int
	GroupBy []string // as written: "metric", "labels.NAME"
	// as written: "count", "p95", "rate:count"; empty only if Window is Latest: value, time,
	// metadata
	Aggregates []string
	MaxGroups  int
	Unscoped   bool // in a dashboard with Scope: every viewer sees all rows
}

// Identity is equal for two panels that ask the same: a panel of a new definition keeps the state
// of the one before that has its identity.
func (p *Panel) Identity(t Tie) string {
	return fmt.Sprintf("%q %+v %q %q %q %q", p.ID, p.Window, p.GroupBy, p.Filter, p.Aggregates, t)
}
