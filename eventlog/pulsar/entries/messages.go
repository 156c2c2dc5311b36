package entries

import (
	"encoding/binary"
	"errors"
)

// Why an entry's messages are none for us.
const (
	Encrypted  = "encrypted"  // nobody here has a key
	Corrupt    = "corrupt"    // its checksum, compression, batch or metadata are not what they should be
	TooLarge   = "too_large"  // more bytes or messages than are read
	Incomplete = "incomplete" // the last chunk of a message, the others of which don't stand close before it
)

// MaxBatch is how many messages a batch has at most: more are refused as one.
const MaxBatch = 1 << 16

// Message is one message of an entry. Payload, key and properties are its own.
type Message struct {
	Batch      int32 // its place in the batch
	Index      *uint64
	Key        string
	Properties map[string]string
	EventTime  int64 // ms; 0: none
	Payload    []byte
	Refused    string // why it can't be read; then there is no payload, and of a batch's message no key
}

// Messages are the entry's messages, as Pulsar's client would give them; where it gives none, the refused ones. A part of a chunked
// message is read once it is assembled.
func (e *Entry) Messages() []Message {
	if e.refused != "" {
		return e.refusing(e.refused)
	}
	if e.encrypted {
		return e.refusing(Encrypted)
	}
	if e.Count() > MaxBatch {
		return e.refusing(TooLarge)
	}
	payload, err := e.decompress()
	if errors.Is(err, errSize) {
		return e.refusing(TooLarge)
	}
	if err != nil {
		return e.refusing(Corrupt)
	}
	if !e.batched {
		if e.single.null {
			payload = nil
		}
		return []Message{e.message(0, &e.single, payload)}
	}
	all := make([]Message, 0, e.batch)
	for i := range e.batch {
		s, own, rest, err := cutSingle(payload)
		if err != nil {
			return e.refusing(Corrupt)
		}
		all, payload = append(all, e.message(i, &s, own)), rest
	}
	if len(all) == 0 {
		return e.refusing(Corrupt)
	}
	return all
}

func (e *Entry) message(i int32, s *single, payload []byte) Message {
	return Message{Batch: i, Index: e.index(int64(i)), Key: s.key, Properties: s.properties, EventTime: s.eventTime, Payload: payload}
}

// refusing gives each of the entry's messages the reason. A batch that has more than there are places is one message, at the last.
func (e *Entry) refusing(why string) []Message {
	n := e.Count()
	if n > MaxBatch {
		return []Message{{Batch: MaxBatch - 1, Index: e.Index, Refused: why}}
	}
	all := make([]Message, n)
	for i := range all {
		all[i] = Message{Batch: int32(i), Index: e.index(int64(i)), Refused: why}
	}
	if !e.batched { // a batch bears the key of its first message, and the others may have others
		all[0].Key, all[0].Properties, all[0].EventTime = e.single.key, e.single.properties, e.single.eventTime
	}
	return all
}

// index is the broker's number of the entry's message i.
func (e *Entry) index(i int64) *uint64 {
	if e.Index == nil {
		return nil
	}
	n := *e.Index - uint64(e.Count()-1-i)
	return &n
}

// cutSingle reads a message from the front of a batch: size, metadata, payload.
func cutSingle(b []byte) (s single, payload, rest []byte, err error) {
	if len(b) < 4 {
		return s, nil, nil, errProto
	}
	size := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; uint64(len(b)) < size {
		return s, nil, nil, errProto
	}
	if err = fields(b[:size], s.of); err != nil {
		return s, nil, nil, err
	}
	if b = b[size:]; s.size < 0 || int(s.size) > len(b) {
		return s, nil, nil, errProto
	}
	payload, rest = b[:s.size:s.size], b[s.size:]
	if s.null {
		payload = nil
	}
	return s, payload, rest, nil
}
