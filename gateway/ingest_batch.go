package gateway

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// maxRefusedListed is how many refused events an answer names; all are counted.
const maxRefusedListed = 100

// batch is one request's events on their way into the log.
type batch struct {
	route   event.Route
	caller  caller
	decoder event.Decoder
	event   event.Event

	homes   func(messages.Key) (int, error) // the log's
	room    func(messages.Key) error        // nil: there is, as far as is known
	entries []eventlog.Entry                // payloads alias the body
	keys    map[messages.Key]messages.Key
	crowded map[messages.Key]error // those that there is no room for
	last    messages.Key

	listed  []ingestRefusal
	refused int
	reasons map[string]int

	warnings []ingestWarning
}

// ingestAnswer is the body of an answer.
type ingestAnswer struct {
	Accepted     int               `json:"accepted"`
	Refused      []ingestRefusal   `json:"refused"` // the first 100
	RefusedCount int               `json:"refusedCount"`
	Positions    map[string]string `json:"positions"` // of the request's last event, by partition
	Warnings     []ingestWarning   `json:"warnings,omitempty"`
	Error        *wire.Error       `json:"error,omitempty"`
}

type ingestRefusal struct {
	Index   int    `json:"index"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func newBatch(r event.Route, c caller, log eventlog.Appender) *batch {
	b := &batch{route: r, caller: c, homes: log.PartitionOf}
	b.clear()
	return b
}

// add takes the event of that index, or err in its place.
func (b *batch) add(index int, payload []byte, err error) bool {
	var k messages.Key
	if err == nil {
		err = b.decoder.Decode(payload, &b.event)
	}
	if err == nil {
		k, err = b.route.Key(&b.event)
	}
	if err == nil {
		err = b.known(k)
	}
	var r *event.Refusal
	switch {
	case err == nil:
		b.entries = append(b.entries, eventlog.Entry{Kind: messages.KindEvent, Key: b.owned(k), Payload: payload})
		b.warn(index, &b.event)
	case errors.As(err, &r):
		b.refuse(index, r)
	default:
		b.refuse(index, &event.Refusal{Reason: event.ReasonMalformed, Message: err.Error()})
	}
	return true
}

// known refuses a key that the caller may not publish to, or that has no home in the log, or no
// room there.
func (b *batch) known(k messages.Key) error {
	if k == b.last {
		return nil
	}
	if err := b.caller.may(publish, k); err != nil {
		return &event.Refusal{Reason: event.ReasonWrongTenant, Message: err.Error()}
	}
	if _, err := b.homes(k); err != nil {
		return &event.Refusal{Reason: event.ReasonUnknownTenant, Message: fmt.Sprintf("tenant %q is not known here", k.Tenant)}
	}
	if _, ok := b.keys[k]; ok || b.room == nil {
		return nil
	}
	err, ok := b.crowded[k]
	if !ok {
		if err = b.room(k); err == nil {
			return nil
		}
		b.crowded[messages.Key{Tenant: strings.Clone(k.Tenant), Dashboard: strings.Clone(k.Dashboard)}] = err
	}
	return &event.Refusal{Reason: event.ReasonCrowded, Message: fmt.Sprintf("dashboard %q: %v", k.Dashboard, err)}
}

// owned is k in memory of its own: k's names alias the body, and a log may keep keys.
func (b *batch) owned(k messages.Key) messages.Key {
	if k == b.last {
		return b.last
	}
	own, ok := b.keys[k]
	if !ok {
		own = messages.Key{Tenant: strings.Clone(k.Tenant), Dashboard: strings.Clone(k.Dashboard)}
		b.keys[own] = own
	}
	b.last = own
	return own
}

func (b *batch) refuse(index int, r *event.Refusal) {
	b.refused++
	b.reasons[r.Reason]++
	if len(b.listed) < maxRefusedListed {
		b.listed = append(b.listed, ingestRefusal{Index: index, Reason: r.Reason, Message: fmt.Sprintf("event %d: %s", index, r.Message)})
	}
}

// clear forgets everything: the whole body is refused.
func (b *batch) clear() {
	*b = batch{route: b.route, caller: b.caller, homes: b.homes, room: b.room, keys: map[messages.Key]messages.Key{}, crowded: map[messages.Key]error{}, reasons: map[string]int{}, listed: []ingestRefusal{}}
}

// nothing says why no event was stored.
func (b *batch) nothing() error {
	if b.refused == 0 {
		return wire.Errorf(wire.CodeBadMessage, "the body holds no event")
	}
	return wire.Errorf(wire.CodeBadField, "none of %d events was stored; the first: %s", b.refused, b.listed[0].Message)
}

// answer tells what was stored by the receipts and what was refused.
func (b *batch) answer(receipts []eventlog.Receipt) ingestAnswer {
	a := ingestAnswer{Refused: b.listed, RefusedCount: b.refused, Positions: map[string]string{}, Warnings: b.warnings}
	newest := map[int]messages.Position{}
	for _, r := range receipts {
		if r.Position.IsZero() {
			continue
		}
		a.Accepted++
		if r.Position.After(newest[r.Partition]) {
			newest[r.Partition] = r.Position
		}
	}
	for partition, position := range newest {
		a.Positions[strconv.Itoa(partition)] = position.String()
	}
	return a
}
