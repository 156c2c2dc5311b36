package foldtest

import (
	"slices"
	"strconv"
	"strings"
)

// Status says whether a field of an event holds a usable value.
type Status int

// The statuses of a field.
const (
	Good Status = iota
	Missing
	WrongType
	OutOfRange
)

// Event is one event as its dashboard sees it.
type Event struct {
	ID          string
	Metric      string
	Value       float64
	ValueStatus Status
	Time        int64
	TimeStatus  Status
	Labels      map[string]string
	Metadata    string // JSON text, "" for none
	Producer    string
	Sequence    uint64
	HasSequence bool
}

// At is where and when a record was read.
type At struct {
	Position string
	LogTime  int64 // greatest append time of the shard up to this record, ms
	Append   int64 // this record's append time, ms
	Event    int64 // the time in ms that the producer set beside the payload; 0: none
}

// Definition is a dashboard's definition. Durations are in ms.
type Definition struct {
	Bound     int64
	Idle      int64 // 0: never
	MaxFuture int64
	Lateness  int64
	By        string // id, producer, none
	Horizon   int64
	TieByID   bool
	Reset     bool
	Panels    []Panel
}

// Panel is one query of a definition.
type Panel struct {
	ID         string
	Kind       string // tumbling, hopping, session, count, latest
	Size       int64  // length, or the session's gap, ms
	Every      int64
	N          int
	Keep       int
	MaxGroups  int
	GroupBy    []string
	FilterText string
	Filter     func(e *Event, time int64) bool // nil passes every event
	Aggregates []string
}

// sameQuery reports whether a panel of a new definition keeps the cells of the old one.
func (p Panel) sameQuery(q Panel) bool {
	return p.ID == q.ID && p.Kind == q.Kind && p.Size == q.Size && p.Every == q.Every && p.N == q.N &&
		p.FilterText == q.FilterText && slices.Equal(p.GroupBy, q.GroupBy) && slices.Equal(p.Aggregates, q.Aggregates)
}

// servesMetrics reports whether the panel shows exactly the newest value of each metric.
func (p Panel) servesMetrics() bool {
	return p.Kind == "latest" && len(p.GroupBy) == 1 && p.GroupBy[0] == "metric" && p.FilterText == "" &&
		len(p.Aggregates) == 0 && p.MaxGroups >= MaxMetrics
}

// OverflowGroup is the name of the group of keys beyond the limit; no other group's name begins
// like this.
const OverflowGroup = "(overflow)"

// GroupOf returns the event's group in a panel: each element quoted, or a dash if the label is
// missing.
func GroupOf(groupBy []string, e *Event) string {
	places := make([]string, 0, len(groupBy))
	for _, by := range groupBy {
		if by == "metric" {
			places = append(places, strconv.Quote(e.Metric))
		} else if text, there := e.Labels[strings.TrimPrefix(by, "labels.")]; there {
			places = append(places, strconv.Quote(text))
		} else {
			places = append(places, "-")
		}
	}
	return strings.Join(places, ",")
}
