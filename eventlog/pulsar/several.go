package pulsar

import (
	"bytes"
	"errors"
	"strings"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// form says how a payload holds its events.
type form int

const (
	oneJSON     form = iota // one object, or no event at all
	severalJSON             // an array, or perhaps NDJSON
	messagePack             // a map, an array of maps, or several of these
)

// formOf tells the form by the payload's first byte. (HTTP tells it by the content type.) JSON is
// text, and a map or an array of MessagePack never begins with a byte of text.
func formOf(payload []byte) form {
	text := bytes.TrimLeft(payload, " \t\r\n")
	switch {
	case len(text) == 0:
		return oneJSON
	case text[0] == '[', bytes.IndexByte(text, '\n') >= 0:
		return severalJSON
	case text[0]&0xf0 == 0x80, text[0]&0xf0 == 0x90, text[0] >= 0xdc && text[0] <= 0xdf:
		return messagePack
	}
	return oneJSON
}

// several appends the events of a message that holds more than one JSON object, or another form,
// each as a record. The message's key names their dashboard; if it names none, each event names its
// own. Refused events count at that dashboard, too. A message that can't be split becomes one
// refused record.
func (d *decoder) several(all []messages.Record, m received, at place, appended int64, k messages.Key, f form) []messages.Record {
	begin := len(all)
	n := 0
	give := func(_ int, payload []byte, err error) bool {
		if n++; n > maxPacked {
			return false
		}
		all = append(all, d.one(m, appended, k, payload, err))
		return true
	}
	var err error
	if f == messagePack {
		err = event.FromMessagePack(m.Payload, maxPayload, give)
	} else {
		err = event.Split(m.Payload, give)
	}
	var body *event.BodyError
	switch {
	case n > maxPacked, errors.As(err, &body) && body.TooLarge:
		return append(all[:begin], d.refused(m, at, appended, k, event.ReasonTooLarge))
	case err != nil || n == 0:
		return append(all[:begin], d.refused(m, at, appended, k, event.ReasonMalformed))
	}
	for i := begin; i < len(all); i++ {
		all[i].Position = at.at(len(all) - 1 - i)
	}
	return all
}

// one returns the record of one event of several.
func (d *decoder) one(m received, appended int64, k messages.Key, payload []byte, err error) messages.Record {
	why := ""
	if k.Dashboard == "" && err == nil {
		k, why = d.named(payload)
	}
	var refusal *event.Refusal
	if errors.As(err, &refusal) {
		why = refusal.Reason
	}
	if why != "" {
		return d.refused(m, place{}, appended, k, why)
	}
	return messages.Record{Append: appended, Kind: messages.KindEvent, Key: k, Payload: payload, EventTime: max(0, m.EventTime)}
}

// named returns the dashboard that the event's payload names.
func (d *decoder) named(payload []byte) (k messages.Key, why string) {
	if err := d.events.Decode(payload, &d.event); err != nil || d.event.Dashboard == "" {
		return k, noDashboard
	}
	if own := d.p.tenant.Name; d.event.Tenant == "" || d.event.Tenant == own {
		return messages.Key{Tenant: own, Dashboard: strings.Clone(d.event.Dashboard)}, ""
	}
	return k, wrongTenant
}
