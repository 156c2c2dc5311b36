package entries

import (
	"encoding/binary"
	"errors"
)

// Why an entry's messages are refused.
const (
	Encrypted = "encrypted" // no process here has a key
	Corrupt   = "corrupt"   // its checksum, compression, batch or metadata are wrong
	TooLarge  = "too_large" // more bytes or messages than we read
	// the last chunk of a message whose other chunks are not close before it
	Incomplete = "incomplete"
)

// MaxBatch is the greatest number of messages in a batch that we read. A larger batch is refused as
// one message.
const MaxBatch = 1 << 16

// Message is one message of an entry. Payload and key alias the entry's bytes, which are never
// overwritten: to keep one of them for long, copy it.
type Message struct {
	Batch      int32 // the message's place in the batch
	Key        string
	Properties map[string]string
	EventTime  int64 // ms; 0: none
	Payload    []byte
	// why the message can't be read; then it has no payload, and in a batch no key either
	Refused string
}

// Messages appends the entry's messages. Each message that it can't read is refused on its own, so
// that a batch counts as many messages as it announces. A batch that announces 0 messages has none:
// whether the broker sends such a batch depends on the entries that it sends it with. A chunked
// message is read once it is assembled.
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
	if len(all) == begin { // the batch announces fewer than 0
		return e.refusing(all, Corrupt)
	}
	return all
}

func (s *single) message(batch int32, payload []byte) Message {
	return Message{Batch: batch, Key: s.key, Properties: s.properties, EventTime: s.eventTime, Payload: payload}
}

// refusing appends the entry's messages, refused with the reason. A batch that announces more than
// MaxBatch messages becomes one message, at the last place.
func (e *Entry) refusing(all []Message, why string) []Message {
	n := e.Count()
	if n > MaxBatch {
		return append(all, Message{Batch: MaxBatch - 1, Refused: why})
	}
	if !e.batched { // a batch has the key of its first message only; the other keys may differ
		m := e.single.message(0, nil)
		m.Refused = why
		return append(all, m)
	}
	for i := range int32(n) {
		all = append(all, Message{Batch: i, Refused: why})
	}
	return all
}

// cutSingle decodes the first message of a batch: size, metadata, payload.
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
