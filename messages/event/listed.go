package event

// Listed is one entry of the bounded lists of late and refused events.
type Listed struct {
	ID       string `json:"id,omitempty"`
	Time     int64  `json:"time"` // ms; 0 if the event's time could not be read
	Metric   string `json:"metric"`
	Reason   string `json:"reason"` // late, horizon; missing, type, range, time, future, panic, …
	Position string `json:"position"`

	// what the time likely is: seconds, microseconds, nanoseconds, no zone
	TimeHint TimeHint `json:"hint,omitempty"`
}
