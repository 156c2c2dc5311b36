package entries

import (
	"encoding/binary"
	"errors"
)

// Why an entry's messages are none for us.
const (
	Encrypted = "encrypted" // nobody here has a key
	Corrupt   = "corrupt"   // its checksum, compression, batch or metadata are not what they should be
	TooLarge  = "too_large" // more bytes or messages than are read
	// the last chunk of a message, the others of which don't stand close before it
	Incomplete = "incomplete"
)

// MaxBatch is how many messages a batch has at most: more are refused as one.
const MaxBatch = 1 << 16

// Message is one message of an entry. Payload and key are parts of the entry's bytes, which are
// never written again: who keeps one of them for long keeps a copy.
type Message struct {
	Batch      int32 // its place in the batch
	Key        string
	Properties map[string]string
	EventTime  int64 // ms; 0: none
	Payload    []byte
	// why it can't be read; then there is no payload, and of a batch's message no key
	Refused string
}

// Messages appends the entry's messages. Those that can't be read are refused, each of them, so
// that a batch counts as many as it says that it has; one of none has none: whether the broker
// gives it depends on what it sends it with. A part of a chunked message is read once it is
// assembled.
func (e *Entry) Messages(all []Message) []Message {
	switch {
	case e.batched && e.batch == 0:
		return all
	case e.refused != "":
		return e.refusing(all, e.refused)
	case e.encrypted:
		return e.refusing(all, Encrypted)
	case e.Count() > MaxBatch:
		return e.refusing(all, TooLarge)
	}
	payload, err := e.decompress()
	if errors.Is(err, errSize) {
		return e.refusing(all, TooLarge)
	}
	if err != nil {
		return e.refusing(all, Corrupt)
	}
	if !e.batched {
		if e.single.null {
			payload = nil
		}
		return append(all, e.single.message(0, payload))
	}
	begin := len(all)
	for i := range e.batch {
		s, own, rest, err := cutSingle(payload)
		if err != nil {
			return e.refusing(all[:begin], Corrupt)
		}
		all, payload = append(all, s.message(i, own)), rest
	}
	if len(all) == begin { // fewer than none
		return e.refusing(all, Corrupt)
	}
	return all
}

func (s *single) message(batch int32, payload []byte) Message {
	return Message{Batch: batch, Key: s.key, Properties: s.properties, EventTime: s.eventTime, Payload: payload}
}

// refusing gives each of the entry's messages the reason. A batch that has more than there are
// places is one message, at the last.
func (e *Entry) refusing(all []Message, why string) []Message {
	n := e.Count()
	if n > MaxBatch {
		return append(all, Message{Batch: MaxBatch - 1, Refused: why})
	}
	if !e.batched { // a batch bears the key of its first message, and the others may have others
		m := e.single.message(0, nil)
		m.Refused = why
		return append(all, m)
	}
	for i := range int32(n) {
		all = append(all, Message{Batch: i, Refused: why})
	}
	return all
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
