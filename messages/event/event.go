// Package event turns event bytes into events and back: the spellings that the doors accept, JSON
// and MessagePack.
package event

// Event is one decoded event. Its strings and Metadata may alias the decoder's input: whoever keeps
// one beyond the next Decode clones it.
type Event struct {
	ID        string // "" where the event has none
	Tenant    string
	Dashboard string
	Metric    string

	Value       float64
	ValueStatus Status
	Time        int64 // ms UTC
	TimeStatus  Status
	TimeHint    TimeHint // of a time that is likely not what its sender meant

	Labels   []Label // in order of name, each name once
	Metadata []byte  // JSON text, nil where the event has none

	Producer    string
	Sequence    uint64
	HasSequence bool
}

// Label is a name with its value.
type Label struct{ Name, Value string }

// Label is the value of the label of that name.
func (e *Event) Label(name string) (value string, ok bool) {
	for i := range e.Labels {
		if e.Labels[i].Name == name {
			return e.Labels[i].Value, true
		}
	}
	return "", false
}

// Status tells whether a field holds what it should.
type Status uint8

// What a field was found to be.
const (
	OK      Status = iota
	Missing        // absent or null
	Type           // neither a number nor, for a time, RFC 3339
	Range          // a number that no double (value) or integer of ms (time) can hold
)
