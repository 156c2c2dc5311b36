package client

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Event is one fact to publish. Dashboard, Metric and Value are required.
type Event struct {
	ID        string            // "": the publisher generates one
	Tenant    string            // "": the token's tenant, else default
	Dashboard string            //
	Metric    string            //
	Value     float64           // finite
	Time      time.Time         // kept to the ms; zero: the time of arrival
	Labels    map[string]string // at most 32
	Metadata  any               // any JSON of at most 16 KiB; nil: none
	Producer  string            // with Sequence, for dashboards that drop copies by producer
	Sequence  uint64
}

// MarshalJSON writes the event as the HTTP API reads it.
func (e Event) MarshalJSON() ([]byte, error) {
	if math.IsNaN(e.Value) || math.IsInf(e.Value, 0) {
		return nil, fmt.Errorf("value of metric %q is %v: it must be finite", e.Metric, e.Value)
	}
	wire := struct {
		ID        string            `json:"id,omitempty"`
		Tenant    string            `json:"tenant,omitempty"`
		Dashboard string            `json:"dashboard,omitempty"`
		Metric    string            `json:"metric"`
		Value     float64           `json:"value"`
		Time      *int64            `json:"time,omitempty"`
		Labels    map[string]string `json:"labels,omitempty"`
		Metadata  any               `json:"metadata,omitempty"`
		Producer  string            `json:"producer,omitempty"`
		Sequence  *uint64           `json:"sequence,omitempty"`
	}{ID: e.ID, Tenant: e.Tenant, Dashboard: e.Dashboard, Metric: e.Metric, Value: e.Value, Labels: e.Labels, Metadata: e.Metadata, Producer: e.Producer}
	if !e.Time.IsZero() {
		ms := e.Time.UnixMilli()
		wire.Time = &ms
	}
	if e.Producer != "" {
		wire.Sequence = &e.Sequence
	}
	return json.Marshal(wire)
}
