package messages

import "math"

// Kind is the type of a record.
type Kind uint8

// The kinds of record. The numbers are stored in logs: never reuse one.
const (
	KindEvent Kind = 1 // Payload is the event's JSON
	// Payload is a definition record's JSON; a Key without Dashboard sets the tenant's default
	KindDefinition Kind = 2
	KindTick       Kind = 3 // no payload, no key; moves log time
)

// String returns the kind's name.
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

// Unstamped is the append time of a record that the log gave none. Such a record takes the current
// log time and does not move it.
const Unstamped = math.MinInt64

// Record is one entry of the log, as a reader of its partition sees it.
type Record struct {
	Position Position
	Append   int64 // append time in ms UTC by the log's own clock, or Unstamped
	Kind     Kind
	Key      Key
	Origin   Origin // where a forwarded record was read; zero if it was not forwarded
	Payload  []byte

	// EventTime is the time in ms that the record's producer set beside the payload; 0 means none.
	// An event without a time of its own takes it.
	EventTime int64

	// Refused names why the log does not accept the record as what it claims to be; "" means that
	// it is accepted. A refused record has KindEvent and neither Payload nor Origin. It has no
	// effect and nobody forwards it: it is counted where it lies, by the dashboard that its Key
	// names if that dashboard's home is there, else by the shard.
	Refused  string
	Producer string // who wrote a refused record, if the log knows
}

// Origin says where a forwarded record was read: a partition that is not its key's home. The home
// folds the record only if its position lies beyond that of the last record forwarded from that
// partition. The zero Origin means not forwarded.
type Origin struct {
	Partition int
	Position  Position
}
