package pulsar

import (
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
)

// received is a message of a partition: of Pulsar's client, or one found in an entry.
type received interface {
	ID() pulsar.MessageID
	Index() *uint64
	Key() string
	Properties() map[string]string
	Payload() []byte
	ProducerName() string
	EventTime() time.Time
	PublishTime() time.Time
	BrokerPublishTime() *time.Time
}

// found is a message in an entry.
type found struct {
	e *entries.Entry
	m *entries.Message
}

func (f found) ID() pulsar.MessageID {
	return pulsar.NewMessageID(f.e.Ledger, f.e.Entry, f.m.Batch, 0)
}
func (f found) Index() *uint64                { return f.m.Index }
func (f found) Key() string                   { return f.m.Key }
func (f found) Properties() map[string]string { return f.m.Properties }
func (f found) Payload() []byte               { return f.m.Payload }
func (f found) ProducerName() string          { return f.e.Producer }
func (f found) EventTime() time.Time          { return time.UnixMilli(f.m.EventTime) }
func (f found) PublishTime() time.Time        { return time.UnixMilli(f.e.PublishTime) }

func (f found) BrokerPublishTime() *time.Time {
	if f.e.Broker == 0 {
		return nil
	}
	t := time.UnixMilli(f.e.Broker)
	return &t
}

// maxPayload is the largest payload that is read: a body at the HTTP door has as much.
const maxPayload = 8 << 20

// unread is why the message can't be read; "": it can.
func unread(m received) string {
	switch m := m.(type) {
	case found:
		if m.m.Refused != "" {
			return m.m.Refused
		}
	case pulsar.Message:
		if m.GetEncryptionContext() != nil {
			return entries.Encrypted
		}
		if m.ID().BatchSize() > entries.MaxBatch {
			return entries.TooLarge
		}
	}
	if len(m.Payload()) > maxPayload {
		return entries.TooLarge
	}
	return ""
}

// whole reports whether the client said all of the message, and gives its place. Of a message that is encrypted it does not tell the
// number, and whether it gives one that was chunked depends on what it has read before.
func whole(m received) (place, bool) {
	id := m.ID()
	at, err := placeOf(id)
	return at, err == nil && id.BatchIdx() >= 0 && id.BatchSize() <= entries.MaxBatch
}
