package pulsar

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// decoder decodes a partition's messages into records.
type decoder struct {
	l        *Log
	p        *partition
	unpacker *unpacker
	events   event.Decoder
	event    event.Event

	announcedUpTo *place // keys used up to this place are known if they were announced
}

func newDecoder(l *Log, p *partition) *decoder {
	return &decoder{l: l, p: p, unpacker: newUnpacker()}
}

func (d *decoder) close() { d.unpacker.close() }

// records appends the message's records that are after the given position. v is what verify
// returned for the message.
func (d *decoder) records(all []messages.Record, m received, v verdict, after messages.Position) ([]messages.Record, error) {
	properties, at := m.Properties, m.at()
	kind := properties[kindProperty]
	appended, why, err := d.appendTime(m, v)
	if err != nil {
		return all, err
	}
	if why == "" {
		why = m.unread()
	}
	if why != "" {
		k, _ := d.keyed(m)
		return append(all, d.refused(m, at, appended, k, why)), nil
	}
	if kind == kindPacked {
		return d.packed(all, m, v, at, appended, after), nil
	}
	r := messages.Record{Position: at.last(), Append: appended, Kind: messages.KindEvent, Payload: m.Payload, EventTime: max(0, m.EventTime)}
	switch kind {
	case "", messages.KindEvent.String():
		k, other := d.keyed(m)
		if f := formOf(r.Payload); f != oneJSON && other == "" && !claims(properties) {
			return d.behind(d.several(all, m, at, appended, k, f), len(all), after), nil
		}
		r.Key, why = d.address(m)
	case messages.KindDefinition.String():
		r.Kind = messages.KindDefinition
		r.Key, why = d.defined(m)
	case messages.KindTick.String():
		r.Kind, r.Payload = messages.KindTick, nil
		if d.p.tenant.LogTime == TickTime && v == valid {
			r.Append, _ = tickTime(m.Payload)
		}
	default:
		why = unreadable
	}
	if why == "" && claims(properties) {
		if why = v.refusal(); why == "" {
			r.Origin, why = d.origin(properties)
		}
	}
	if why != "" {
		return append(all, d.refused(m, at, appended, r.Key, why)), nil
	}
	d.route(&r)
	d.l.metrics.readBytes.Add(float64(len(r.Payload)))
	return append(all, r), nil
}

// appendTime returns the broker's time. If ticks move the tenant's log time, a record has no time
// of its own, except a tick, which holds the time of the node that sent it. A broker that stamps
// records does not stamp those whose producer says that they are no message, or fewer than none:
// such a record is refused and moves no time. If a record of ours has no stamp, the broker stamps
// nothing.
func (d *decoder) appendTime(m received, v verdict) (appended int64, why string, err error) {
	switch {
	case d.p.tenant.LogTime == TickTime:
		return messages.Unstamped, "", nil
	case m.entry.Index != nil && m.entry.Broker != 0:
		return m.entry.Broker, "", nil
	case v != valid && !d.l.control.unstamped.Load():
		return messages.Unstamped, unstamped, nil
	}
	return 0, "", fmt.Errorf("%w: the record at %s of %s has no time or number of the broker: %s", eventlog.ErrUnstamped, m.at().last(), d.p.topic, neededSettings)
}

// packed appends the records of a packed message. If it can't be read, or if it steers and is not
// ours, it becomes one refused record that no dashboard gets.
func (d *decoder) packed(all []messages.Record, m received, v verdict, at place, appended int64, after messages.Position) []messages.Record {
	begin := len(all)
	all, err := d.unpacker.records(all, m.Payload, d.p.tenant.Name, at, appended)
	if err != nil {
		return append(all, d.refused(m, at, appended, messages.Key{}, unreadable))
	}
	if why := v.refusal(); why != "" && slices.ContainsFunc(all[begin:], isSteeringRecord) {
		return append(all[:begin], d.refused(m, at, appended, messages.Key{}, why))
	}
	for i := begin; i < len(all); i++ {
		r := &all[i]
		if r.Kind != messages.KindTick {
			continue
		}
		if d.p.tenant.LogTime == TickTime {
			r.Append, _ = tickTime(r.Payload)
		}
		r.Payload = nil
	}
	return d.behind(all, begin, after)
}

// behind drops the message's records that are not after the given position.
func (d *decoder) behind(all []messages.Record, begin int, after messages.Position) []messages.Record {
	skip := begin
	for !after.IsZero() && skip < len(all) && !all[skip].Position.After(after) {
		skip++
	}
	if skip > begin {
		all = append(all[:begin], all[skip:]...)
	}
	bytes := 0
	for i := begin; i < len(all); i++ {
		bytes += len(all[i].Payload)
		d.route(&all[i])
	}
	d.l.metrics.readBytes.Add(float64(bytes))
	return all
}

// isSteeringRecord reports whether a record is more than an event where its producer put it.
func isSteeringRecord(r messages.Record) bool {
	return r.Kind != messages.KindEvent || r.Origin != (messages.Origin{})
}

// route counts records by where their producers put them. A misrouted record is returned like any
// other: the shard forwards it.
func (d *decoder) route(r *messages.Record) {
	if r.Refused != "" || r.Key.Dashboard == "" || !r.Origin.Position.IsZero() {
		return
	}
	d.l.metrics.addressed.Inc()
	if d.p.tenant.home(r.Key) != d.p.shard {
		d.l.metrics.misrouted.Inc()
	}
}

// address returns the dashboard of an event. The message's key names it, as a dashboard's name or
// tenant/dashboard; if the key can't be read, the payload's field does. The tenant is always the
// topic's: a message that names another tenant has no dashboard.
func (d *decoder) address(m received) (k messages.Key, why string) {
	if k, why = d.keyed(m); k.Dashboard != "" || why != "" {
		return k, why
	}
	return d.named(m.Payload)
}

// keyed returns the dashboard that the message's key names, if it names one.
func (d *decoder) keyed(m received) (k messages.Key, why string) {
	key, own := m.Key, d.p.tenant.Name
	tenant, dashboard, both := strings.Cut(key, "/")
	switch {
	case both && tenant == own && messages.ValidName(dashboard):
		return messages.Key{Tenant: own, Dashboard: dashboard}, ""
	case both && messages.ValidName(tenant) && tenant != own:
		return k, wrongTenant
	case !both && messages.ValidName(key):
		return messages.Key{Tenant: own, Dashboard: key}, ""
	}
	return k, ""
}

// defined returns the key that a definition is for: a dashboard, or the tenant's default.
func (d *decoder) defined(m received) (k messages.Key, why string) {
	if m.Key != "" && !messages.ValidName(m.Key) {
		return k, unreadable
	}
	return messages.Key{Tenant: d.p.tenant.Name, Dashboard: m.Key}, ""
}

// Why a record is refused.
const (
	noDashboard = "no_dashboard"
	wrongTenant = "wrong_tenant"
	unreadable  = "unreadable"
	noMAC       = "no_mac"    // it claims to steer, and has no signature
	unstamped   = "unstamped" // its producer says that it is no message
	// it claims to steer, and its signature is not ours, or not for this partition of this tenant
	badMAC = "bad_mac"
)

// refused returns the record of a message that is refused. k is the key of the dashboard that it
// belongs to; the zero Key says that nobody knows.
func (d *decoder) refused(m received, at place, appended int64, k messages.Key, why string) messages.Record {
	d.l.logger.Debug("a record is refused", "reason", why, "topic", d.p.topic, "position", at.last(), "key", m.Key)
	k.Tenant = d.p.tenant.Name
	return messages.Record{Position: at.last(), Append: appended, Kind: messages.KindEvent, Key: k, Refused: why, Producer: m.entry.Producer}
}

// origin returns the place where a forwarded record was found.
func (d *decoder) origin(properties map[string]string) (o messages.Origin, why string) {
	text := properties[originProperty]
	if text == "" {
		return o, ""
	}
	o, err := parseOrigin(text)
	if err != nil {
		return messages.Origin{}, unreadable
	}
	return o, ""
}
