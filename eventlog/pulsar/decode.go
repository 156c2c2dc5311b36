package pulsar

import (
	"fmt"
	"strings"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// decoder makes records of a partition's messages.
type decoder struct {
	l        *Log
	p        *partition
	unpacker *unpacker
	events   event.Decoder
	event    event.Event
}

func newDecoder(l *Log, p *partition) *decoder {
	return &decoder{l: l, p: p, unpacker: newUnpacker()}
}

func (d *decoder) close() { d.unpacker.close() }

// records appends the message's records that lie after the given position.
func (d *decoder) records(all []messages.Record, m pulsar.Message, at place, after messages.Position) ([]messages.Record, error) {
	kind := ""
	if properties := m.Properties(); len(properties) > 0 {
		kind = properties[kindProperty]
	}
	appended, err := d.appendTime(m, kind, at)
	if err != nil {
		return all, err
	}
	if kind == kindPacked {
		return d.packed(all, m, at, appended, after), nil
	}
	r := messages.Record{Position: at.last(), Append: appended, Kind: messages.KindEvent, Payload: m.Payload()}
	if t := m.EventTime().UnixMilli(); t > 0 {
		r.EventTime = t
	}
	why := ""
	switch kind {
	case "", messages.KindEvent.String():
		if r.Key, why = d.address(m); why == "" {
			r.Origin = d.origin(m)
		}
	case messages.KindDefinition.String():
		if k, ok := d.defined(m); ok {
			r.Kind, r.Key, r.Origin = messages.KindDefinition, k, d.origin(m)
		} else {
			why = wrongTenant
		}
	case messages.KindTick.String():
		r.Kind, r.Payload = messages.KindTick, nil
	default:
		why = unreadable
	}
	if why != "" {
		return append(all, d.refused(m, at, appended, messages.Key{}, why)), nil
	}
	d.route(&r)
	d.l.metrics.readBytes.Add(float64(len(r.Payload)))
	return append(all, r), nil
}

// appendTime is the broker's. Where ticks move log time, other records have none of their own, and a tick has the time of
// the node that sent it.
func (d *decoder) appendTime(m pulsar.Message, kind string, at place) (int64, error) {
	if d.p.tenant.LogTime == TickTime {
		if kind == messages.KindTick.String() {
			return m.PublishTime().UnixMilli(), nil
		}
		return messages.Unstamped, nil
	}
	t := m.BrokerPublishTime()
	if t == nil {
		return 0, fmt.Errorf("%w: the record at %s of %s has no time of the broker: %s", eventlog.ErrUnstamped, at.last(), d.p.topic, neededSettings)
	}
	return t.UnixMilli(), nil
}

// packed appends the records of a packed message. One that can't be read is a record that no dashboard gets.
func (d *decoder) packed(all []messages.Record, m pulsar.Message, at place, appended int64, after messages.Position) []messages.Record {
	begin := len(all)
	all, err := d.unpacker.records(all, m.Payload(), d.p.tenant.Name, at, appended)
	if err != nil {
		return append(all, d.refused(m, at, appended, messages.Key{}, unreadable))
	}
	skip := begin
	for !after.IsZero() && skip < len(all) && !all[skip].Position.After(after) {
		skip++
	}
	if skip > begin {
		all = append(all[:begin], all[skip:]...)
	}
	bytes := 0
	for i := begin; i < len(all); i++ {
		r := &all[i]
		bytes += len(r.Payload)
		if r.Kind == messages.KindTick && d.p.tenant.LogTime == TickTime {
			r.Append = m.PublishTime().UnixMilli()
		}
		d.route(r)
	}
	d.l.metrics.readBytes.Add(float64(bytes))
	return all
}

// route counts records by where their producers put them. Those that lie elsewhere than at home are given as any other: the shard
// forwards them.
func (d *decoder) route(r *messages.Record) {
	if r.Key.Dashboard == "" || !r.Origin.Position.IsZero() {
		return
	}
	d.l.metrics.addressed.Inc()
	if d.p.tenant.home(r.Key) != d.p.shard {
		d.l.metrics.misrouted.Inc()
	}
}

// address is the dashboard of an event, by its message's key: a dashboard's name, or tenant/dashboard; without a key that
// can be read, by its payload's field. The tenant is always the topic's: a message that names another has no dashboard.
func (d *decoder) address(m pulsar.Message) (k messages.Key, why string) {
	key, own := m.Key(), d.p.tenant.Name
	if key != "" {
		tenant, dashboard, both := strings.Cut(key, "/")
		switch {
		case both && tenant == own && messages.ValidName(dashboard):
			return messages.Key{Tenant: own, Dashboard: dashboard}, ""
		case both && messages.ValidName(tenant) && tenant != own:
			return k, wrongTenant
		case !both && messages.ValidName(key):
			return messages.Key{Tenant: own, Dashboard: key}, ""
		}
	}
	if err := d.events.Decode(m.Payload(), &d.event); err != nil || d.event.Dashboard == "" {
		return k, noDashboard
	}
	if d.event.Tenant != "" && d.event.Tenant != own {
		return k, wrongTenant
	}
	return messages.Key{Tenant: own, Dashboard: strings.Clone(d.event.Dashboard)}, ""
}

// defined is what a definition is of: a dashboard, or the tenant's default.
func (d *decoder) defined(m pulsar.Message) (k messages.Key, ok bool) {
	own, key := d.p.tenant.Name, m.Key()
	if tenant, dashboard, both := strings.Cut(key, "/"); both {
		if tenant != own {
			return messages.Key{}, false
		}
		key = dashboard
	}
	return messages.Key{Tenant: own, Dashboard: key}, key == "" || messages.ValidName(key)
}

// Why a record is refused.
const (
	noDashboard = "no_dashboard"
	wrongTenant = "wrong_tenant"
	unreadable  = "unreadable"
)

// refused is the record of a message that is not taken for what it says it is. The key is that of the dashboard whose it is; the
// zero Key: nobody knows.
func (d *decoder) refused(m pulsar.Message, at place, appended int64, k messages.Key, why string) messages.Record {
	d.l.metrics.unaddressed.WithLabelValues(why).Inc()
	d.l.logger.Debug("a record is refused", "reason", why, "topic", d.p.topic, "id", m.ID(), "key", m.Key())
	k.Tenant = d.p.tenant.Name
	return messages.Record{Position: at.last(), Append: appended, Kind: messages.KindEvent, Key: k, Refused: why, Producer: m.ProducerName()}
}

// origin is where a forwarded record was found; one that can't be read is none.
func (d *decoder) origin(m pulsar.Message) messages.Origin {
	text := ""
	if properties := m.Properties(); len(properties) > 0 {
		text = properties[originProperty]
	}
	if text == "" {
		return messages.Origin{}
	}
	o, err := parseOrigin(text)
	if err != nil {
		d.l.logger.Debug("an origin can't be read", "topic", d.p.topic, "id", m.ID(), "error", err)
		return messages.Origin{}
	}
	return o
}
