package messages

import "math"

// NoTime is the value of a time before any event was accepted.
const NoTime = math.MinInt64

// Counters are a dashboard's counters (docs/SEMANTICS.md, S18), part of its state. These always
// hold:
//
//	Records  = Accepted + Invalid + Future + Duplicates
//	Accepted = Filtered + LateDropped + Folded, in every panel
type Counters struct {
	Records  uint64 `json:"records"`
	Accepted uint64 `json:"accepted"`
	Invalid  uint64 `json:"invalid"`
	// missing, type, range, time, and the gateway's reasons
	InvalidReasons map[string]uint64 `json:"invalid_reasons"`
	Future         uint64            `json:"future"`
	Duplicates     uint64            `json:"duplicates"`
	// accepted events that could no longer be checked for duplicates
	Horizon uint64 `json:"horizon"`
	// events of metrics beyond the bound of newest values
	MetricsDropped uint64 `json:"metrics_dropped"`
	// records that made the fold panic; not in Records
	SetAside uint64                  `json:"set_aside"`
	Panels   map[string]PanelCounter `json:"panels"` // by panel id
}

// PanelCounter counts what one panel did with the accepted events.
type PanelCounter struct {
	Accepted uint64 `json:"accepted"`
	Filtered uint64 `json:"filtered"`

	// the part of Filtered that no filter decided
	FilteredReasons FilteredReasons `json:"filtered_reasons,omitzero"`

	LateDropped  uint64 `json:"late_dropped"`
	Folded       uint64 `json:"folded"`
	LateAccepted uint64 `json:"late_accepted"`
	Overflowed   uint64 `json:"overflowed"` // events folded into the overflow group
	// events beyond the 1,024 samples that increase and delta keep per group
	Unsampled uint64 `json:"unsampled"`
}

// FilteredReasons counts the events that were filtered without evaluating the filter.
type FilteredReasons struct {
	Cost uint64 `json:"cost"` // the filter would have cost too much
}
