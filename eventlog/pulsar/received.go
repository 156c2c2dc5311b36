package pulsar

import "github.com/dashfeed/dashfeed/eventlog/pulsar/entries"

// received is a message of a partition, with its entry.
type received struct {
	*entries.Message
	entry *entries.Entry
}

func (m received) at() place { return place{m.entry.Ledger, m.entry.Entry, m.Batch} }

// maxPayload is the size of the largest payload that is read, the same as of an HTTP body.
const maxPayload = 8 << 20

// unread returns why the message can't be read; "": it can.
func (m received) unread() string {
	if m.Refused == "" && len(m.Payload) > maxPayload {
		return entries.TooLarge
	}
	return m.Refused
}
