package messages

import "math"

// Kind tells what a record holds.
type Kind uint8

// The kinds of record. Their numbers are stored in logs: never reuse one.
const (
	KindEvent Kind = 1 // Payload is the event's JSON
	// Payload is a definition record's JSON; a Key without Dashboard sets the tenant's default
	KindDefinition Kind = 2
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

// Unstamped stands for the append time of a record that the log gave none: it has the log time in
// force, and moves it not.
const Unstamped = math.MinInt64

// Record is one entry of the log, as a reader of its partition sees it.
type Record struct {
	Position Position
	Append   int64 // append time, ms UTC, by the log's own clock; or Unstamped
	Kind     Kind
	Key      Key
	Origin   Origin // of a forwarded record
	Payload  []byte

	// EventTime is the time that the record's producer gave it beside the payload, ms; 0: none. An
	// event without a time of its own has it.
	EventTime int64

	// Refused is a word for why the log does not take the record for what it says it is; "": it
	// does. A refused record is of KindEvent, without Payload and Origin. It steers nothing and
	// nobody forwards it: it is counted where it lies, by the dashboard that its Key names if that
	// is at home there, else by the shard.
	Refused  string
	Producer string // of a refused record: who wrote it, where the log knows
}

// Origin is where a record was read that was found outside its key's home and forwarded. Home folds
// it only if the position lies beyond that of the last one forwarded from there. The zero Origin:
// not forwarded.
type Origin struct {
	Partition int
	Position  Position
}
