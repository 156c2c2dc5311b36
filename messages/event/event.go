// Package event converts between event bytes and events. It knows the spellings that the gateway
// accepts, in JSON and MessagePack.
package event

// Event is one decoded event. Its strings and Metadata may alias the decoder's input: clone them to
// keep them beyond the next Decode.
type Event struct {
	ID        string // "" if the event has none
	Tenant    string
	Dashboard string
	Metric    string

	Value       float64
	ValueStatus Status
	Time        int64 // ms UTC
	TimeStatus  Status
	TimeHint    TimeHint // why the time is likely not what the sender meant

	Labels   []Label // ordered by name, each name once
	Metadata []byte  // JSON text, nil if the event has none

	Producer    string
	Sequence    uint64
	HasSequence bool
}

// Label is a name and its value.
type Label struct{ Name, Value string }

// Label returns the value of the label with that name.
func (e *Event) Label(name string) (value string, ok bool) {
	for i := range e.Labels {
		if e.Labels[i].Name == name {
			return e.Labels[i].Value, true
		}
	}
	return "", false
}

// Status says whether a field holds a usable value.
type Status uint8

// The statuses of a field.
const (
	OK      Status = iota
	Missing        // absent or null
	Type           // neither a number nor, for a time, RFC 3339
	Range          // a number that fits no double (value) or whole ms (time)
)
