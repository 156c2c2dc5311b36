package pulsar

import "github.com/dashfeed/dashfeed/eventlog/pulsar/entries"

// received is a message of a partition, in its entry.
type received struct {
	*entries.Message
	entry *entries.Entry
}

func (m received) at() place { return place{m.entry.Ledger, m.entry.Entry, m.Batch} }

// maxPayload is the largest payload that is read: a body at the HTTP door has as much.
const maxPayload = 8 << 20

// unread is why the message can't be read; "": it can.
func (m received) unread() string {
	if m.Refused == "" && len(m.Payload) > maxPayload {
		return entries.TooLarge
	}
	return m.Refused
}
