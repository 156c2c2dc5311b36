package gateway

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// maxRefusedListed is how many refused events an answer names. All are counted.
const maxRefusedListed = 100

// batch holds one request's events on their way into the log.
type batch struct {
	route   event.Route
	caller  caller
	decoder event.Decoder
	event   event.Event

	homes func(messages.Key) (int, error) // returns the home partition, from the log
	// nil: there is room, as far as is known. first is how many dashboards get their first record
	// here in the same shard, coming how many dashboards the request names
	room    func(k messages.Key, first, coming int) (bool, error)
	firsts  map[shardOf]int
	entries []eventlog.Entry       // their payloads alias the body
	crowded map[messages.Key]error // dashboards for which there is no room

	dashboards tally[messages.Key] // of entries
	tenants    tally[string]       // of entries, from limitEvents on

	listed  []ingestRefusal
	refused int
	reasons map[string]int

	warnings []ingestWarning
}

// keptEntries is the most entries of a batch that is used again.
const keptEntries = 1024

var batches = sync.Pool{New: func() any { return new(batch) }}

// newBatch returns an empty batch.
func newBatch(r event.Route, c caller, log eventlog.Appender) *batch {
	b := batches.Get().(*batch)
	b.route, b.caller, b.homes = r, c, log.PartitionOf
	return b
}

// release returns the batch to the pool. Nobody may hold its entries any more.
func (b *batch) release() {
	if cap(b.entries) > keptEntries {
		return
	}
	clear(b.entries)
	*b = batch{decoder: b.decoder, event: b.event, entries: b.entries[:0], dashboards: b.dashboards.empty(), tenants: b.tenants.empty()}
	batches.Put(b)
}

// add adds the event with that index, or refuses it because of err.
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
	if err != nil {
		b.refuse(index, refusalOf(err))
		return true
	}
	d := b.dashboard(k)
	d.events, d.bytes = d.events+1, d.bytes+len(payload)
	b.entries = append(b.entries, eventlog.Entry{Kind: messages.KindEvent, Key: d.key, Payload: payload})
	b.warn(index, &b.event)
	return true
}

// refusalOf returns why an event is refused.
func refusalOf(err error) *event.Refusal {
	if r, ok := errors.AsType[*event.Refusal](err); ok {
		return r
	}
	return &event.Refusal{Reason: event.ReasonMalformed, Message: err.Error()}
}

// known refuses a key that the caller may not publish to, that has no home in the log, or for which
// there is no room.
func (b *batch) known(k messages.Key) error {
	if b.dashboards.find(k) != nil {
		return nil
	}
	if err := b.caller.may(publish, k); err != nil {
		reason := event.ReasonForbidden
		if k.Tenant != b.caller.home() {
			reason = event.ReasonWrongTenant
		}
		return &event.Refusal{Reason: reason, Message: asError(err).Message}
	}
	partition, err := b.homes(k)
	if err != nil {
		return &event.Refusal{Reason: event.ReasonUnknownTenant, Message: fmt.Sprintf("tenant %q is not known here", k.Tenant)}
	}
	if b.room == nil {
		return nil
	}
	err, ok := b.crowded[k]
	if !ok {
		if err = b.roomIn(shardOf{k.Tenant, partition}, k); err == nil {
			return nil
		}
		if b.crowded == nil {
			b.crowded = map[messages.Key]error{}
		}
		b.crowded[messages.Key{Tenant: strings.Clone(k.Tenant), Dashboard: strings.Clone(k.Dashboard)}] = err
	}
	return &event.Refusal{Reason: event.ReasonCrowded, Message: fmt.Sprintf("dashboard %q: %v", k.Dashboard, err)}
}

// shardOf is what a tenant has in a partition.
type shardOf struct {
	tenant    string
	partition int
}

// roomIn asks whether there is room for a dashboard in its shard, beside those of the batch that
// get their first record there.
func (b *batch) roomIn(s shardOf, k messages.Key) error {
	first, err := b.room(k, b.firsts[s], len(b.dashboards.shares))
	if first && err == nil {
		if b.firsts == nil {
			b.firsts = map[shardOf]int{}
		}
		s.tenant = strings.Clone(s.tenant)
		b.firsts[s]++
	}
	return err
}

// dashboard returns the share of k. It holds a copy of k: the names in k alias the body, and a log
// may keep keys.
func (b *batch) dashboard(k messages.Key) *share[messages.Key] {
	if d := b.dashboards.find(k); d != nil {
		return d
	}
	return b.dashboards.add(messages.Key{Tenant: strings.Clone(k.Tenant), Dashboard: strings.Clone(k.Dashboard)})
}

func (b *batch) refuse(index int, r *event.Refusal) {
	b.refused++
	if b.reasons == nil {
		b.reasons = map[string]int{}
	}
	b.reasons[r.Reason]++
	if len(b.listed) < maxRefusedListed {
		b.listed = append(b.listed, ingestRefusal{Index: index, Reason: r.Reason, Message: fmt.Sprintf("event %d: %s", index, r.Message)})
	}
}

// clear removes everything, because the whole body is refused.
func (b *batch) clear() {
	*b = batch{route: b.route, caller: b.caller, homes: b.homes, room: b.room}
}

// nothing returns the error of a request of which no event was stored.
func (b *batch) nothing() error {
	if b.refused == 0 {
		return wire.Errorf(wire.CodeBadMessage, "the body holds no event")
	}
	return wire.Errorf(wire.CodeBadField, "none of %d events was stored; the first: %s", b.refused, b.listed[0].Message)
}
