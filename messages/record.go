package messages

import "math"

// Kind tells what a record holds.
type Kind uint8

// The kinds of record. Their numbers are stored in logs: never reuse one.
const (
	KindEvent      Kind = 1 // Payload is the event's JSON
	KindDefinition Kind = 2 // Payload is a definition record's JSON; a Key without Dashboard sets the tenant's default
	KindTick       Kind = 3 // no payload, no key: moves log time
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KindEvent:
		return "event"
	case KindDefinition:
		return "definition"
	case KindTick:
		return "tick"
	}
	return "unknown"
}

// Unstamped stands for the append time of a record that the log gave none: it has the log time in force, and moves it not.
const Unstamped = math.MinInt64

// Record is one entry of the log, as a reader of its partition sees it.
type Record struct {
	Position Position
	Append   int64 // append time, ms UTC, by the log's own clock; or Unstamped
	Kind     Kind
	Key      Key
	Origin   Origin // of a forwarded record
	Payload  []byte
}

// Origin is where a record was read that was found outside its key's home and forwarded. Home folds it only if the
// position lies beyond that of the last one forwarded from there. The zero Origin: not forwarded.
type Origin struct {
	Partition int
	Position  Position
}
