package pulsar

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
	"github.com/dashfeed/dashfeed/messages"
)

// arrive returns a message that was sent as a reader receives it.
func arrive(m pulsar.ProducerMessage) received {
	return received{
		&entries.Message{Key: m.Key, Properties: m.Properties, EventTime: m.EventTime.UnixMilli(), Payload: m.Payload},
		&entries.Entry{Ledger: 1, Entry: 2, Index: new(uint64), Broker: 5000, Producer: "somebody"},
	}
}

var oneKey, otherKey = bytes.Repeat([]byte{1}, KeyBytes), bytes.Repeat([]byte{2}, KeyBytes)

// partitionAndDecoder returns a partition of a tenant, and a decoder for it.
func partitionAndDecoder(t *testing.T, x Tenant, number int, keys ...[]byte) (*partition, *decoder) {
	t.Helper()
	l := &Log{metrics: newMetrics(nil), logger: slog.New(slog.DiscardHandler), packer: newPacker(0)}
	x.Partitions = 4
	p := (&table{}).with(x, keys).shards[number]
	d := newDecoder(l, p)
	t.Cleanup(d.close)
	return p, d
}

// read decodes a message into records.
func (d *decoder) read(t *testing.T, m pulsar.ProducerMessage) []messages.Record {
	t.Helper()
	r := arrive(m)
	v, err := d.verify(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	all, err := d.records(nil, r, v, messages.Position{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// encoded returns the message that the log would send to the partition for the entries.
func encoded(p *partition, d *decoder, entries ...eventlog.Entry) pulsar.ProducerMessage {
	c := &call{entries: entries}
	m := &message{group: &group{partition: p}}
	for i := range entries {
		m.members = append(m.members, i)
	}
	return *d.l.encode(c, m)
}

// steering returns messages that steer, by what they are.
func steering(p *partition, d *decoder) map[string]pulsar.ProducerMessage {
	k := messages.Key{Tenant: "acme", Dashboard: "sales"}
	from := messages.Origin{Partition: 3, Position: messages.Position{Hi: 9, Lo: 1 << 40}}
	plain := eventlog.Entry{Kind: messages.KindEvent, Key: k, Payload: []byte(`{"metric":"m"}`)}
	forwarded := eventlog.Entry{Kind: messages.KindEvent, Key: k, Payload: []byte(`{"metric":"m"}`), Origin: from, EventTime: 77}
	definition := eventlog.Entry{Kind: messages.KindDefinition, Key: k, Payload: []byte("{}")}
	fallback := eventlog.Entry{Kind: messages.KindDefinition, Key: messages.Key{Tenant: "acme"}, Payload: []byte("{}")}
	tick := eventlog.Entry{Kind: messages.KindTick}
	return map[string]pulsar.ProducerMessage{
		"a forwarded event":   encoded(p, d, forwarded),
		"a definition":        encoded(p, d, definition),
		"a tenant's default":  encoded(p, d, fallback),
		"a tick":              encoded(p, d, tick),
		"forwarded, packed":   encoded(p, d, forwarded, forwarded),
		"a definition packed": encoded(p, d, plain, definition),
		"ticks, packed":       encoded(p, d, tick, tick),
	}
}

// A message that we have signed is accepted. A copy elsewhere, or a message with any part changed,
// becomes one refused record.
func TestMACs(t *testing.T) {
	tenant := Tenant{Name: "acme", Made: "first"}
	p, d := partitionAndDecoder(t, tenant, 1, oneKey)
	_, otherPartition := partitionAndDecoder(t, tenant, 2, oneKey)
	_, otherTenant := partitionAndDecoder(t, Tenant{Name: "globex", Made: "first"}, 1, oneKey)
	_, madeAnew := partitionAndDecoder(t, Tenant{Name: "acme", Made: "second"}, 1, oneKey)
	_, rotated := partitionAndDecoder(t, tenant, 1, otherKey, oneKey)
	for what, m := range steering(p, d) {
		for _, reader := range []*decoder{d, rotated} {
			for _, r := range reader.read(t, m) {
				if r.Refused != "" {
					t.Errorf("%s is refused: %s", what, r.Refused)
				}
			}
		}
		refuse := func(where string, d *decoder, m pulsar.ProducerMessage, why string) {
			t.Helper()
			all := d.read(t, m)
			if len(all) != 1 || all[0].Refused != why || all[0].Kind != messages.KindEvent || all[0].Payload != nil || all[0].Origin != (messages.Origin{}) || all[0].Producer != "somebody" {
				t.Errorf("%s, %s: got %+v, want one record refused as %s", what, where, all, why)
			}
		}
		refuse("copied to another partition", otherPartition, m, badMAC)
		refuse("copied to another tenant", otherTenant, m, badMAC)
		if all := madeAnew.read(t, m); m.Properties[kindProperty] == messages.KindTick.String() {
			if len(all) != 1 || all[0].Refused != "" {
				t.Errorf("%s is refused in another making of its tenant: %+v", what, all)
			}
		} else {
			refuse("copied to another making of the tenant", madeAnew, m, badMAC)
		}
		change := func(where, why string, change func(m *pulsar.ProducerMessage)) {
			t.Helper()
			changed := m
			changed.Properties = maps.Clone(m.Properties)
			change(&changed)
			refuse(where, d, changed, why)
		}
		change("without its MAC", noMAC, func(m *pulsar.ProducerMessage) { delete(m.Properties, macProperty) })
		change("with half a MAC", badMAC, func(m *pulsar.ProducerMessage) { m.Properties[macProperty] = m.Properties[macProperty][:20] })
		change("with a MAC of nonsense", badMAC, func(m *pulsar.ProducerMessage) { m.Properties[macProperty] = "!" })
		change("with another event time", badMAC, func(m *pulsar.ProducerMessage) { m.EventTime = time.UnixMilli(78) })
		if m.Properties[kindProperty] != kindPacked {
			change("with another payload", badMAC, func(m *pulsar.ProducerMessage) { m.Payload = append(bytes.Clone(m.Payload), ' ') })
			change("with another key", badMAC, func(m *pulsar.ProducerMessage) { m.Key = "others" })
			change("with another origin", badMAC, func(m *pulsar.ProducerMessage) { m.Properties[originProperty] = "1:00" })
			change("as another kind", badMAC, func(m *pulsar.ProducerMessage) {
				if m.Properties[kindProperty] = messages.KindDefinition.String(); what == "a definition" || what == "a tenant's default" {
					m.Properties[kindProperty] = messages.KindTick.String()
				}
			})
		}
	}
}

// A message that does not steer needs no MAC, and an invalid value of our property does not spoil
// it.
func TestOrdinaryMessages(t *testing.T) {
	p, d := partitionAndDecoder(t, Tenant{Name: "acme", Made: "first"}, 1, oneKey)
	e := eventlog.Entry{Kind: messages.KindEvent, Key: messages.Key{Tenant: "acme", Dashboard: "sales"}, Payload: []byte(`{"metric":"m"}`)}
	if m := encoded(p, d, e); m.Properties != nil {
		t.Errorf("an event has the properties %v", m.Properties)
	}
	m := encoded(p, d, e, e)
	if m.Properties[macProperty] != "" {
		t.Errorf("packed events have the properties %v", m.Properties)
	}
	if all := d.read(t, m); len(all) != 2 || all[0].Refused != "" || all[1].Refused != "" {
		t.Errorf("packed events are read as %+v", all)
	}
	for _, properties := range []map[string]string{
		nil, {"way": "1"}, {kindProperty: ""}, {kindProperty: "event"}, {originProperty: ""}, {macProperty: "AAAA"}, {kindProperty: "event", macProperty: "!"},
	} {
		all := d.read(t, pulsar.ProducerMessage{Key: "sales", Payload: []byte(`{"metric":"m"}`), Properties: properties})
		if len(all) != 1 || all[0].Refused != "" || all[0].Key.Dashboard != "sales" {
			t.Errorf("with the properties %v: got %+v", properties, all)
		}
	}
	all := d.read(t, pulsar.ProducerMessage{Key: "sales", Payload: []byte(`{"metric":"m"}`), Properties: map[string]string{originProperty: "0:1"}})
	if len(all) != 1 || all[0].Refused != noMAC || all[0].Key.Dashboard != "sales" {
		t.Errorf("with an origin: got %+v, want it refused at its dashboard", all)
	}
}

// If ticks move log time, the time inside the tick counts, which nobody can change. The publish
// time does not, neither of the original nor of a copy.
func TestTicksHaveTheirOwnTime(t *testing.T) {
	p, d := partitionAndDecoder(t, Tenant{Name: "acme", Made: "first", LogTime: TickTime}, 1, oneKey)
	before := time.Now().UnixMilli()
	for _, m := range []pulsar.ProducerMessage{encoded(p, d, eventlog.Entry{Kind: messages.KindTick}), encoded(p, d, eventlog.Entry{Kind: messages.KindTick}, eventlog.Entry{Kind: messages.KindTick})} {
		for _, r := range d.read(t, m) {
			if r.Kind != messages.KindTick || r.Append < before || r.Append > time.Now().UnixMilli() || r.Payload != nil {
				t.Errorf("got %+v, want a tick of now", r)
			}
		}
	}
	forged := d.read(t, pulsar.ProducerMessage{Payload: []byte{0}, Properties: map[string]string{kindProperty: "tick"}})
	if len(forged) != 1 || forged[0].Refused != noMAC || forged[0].Append != messages.Unstamped {
		t.Errorf("got %+v, want a refused record without a time", forged)
	}
}

// A broker does not stamp a message that its producer says to be none: that message is refused, and
// moves no time. If our own messages or the control topic have no stamps, the broker stamps
// nothing.
func TestUnstamped(t *testing.T) {
	p, d := partitionAndDecoder(t, Tenant{Name: "acme", Made: "first"}, 1, oneKey)
	read := func(m pulsar.ProducerMessage) ([]messages.Record, error) {
		r := arrive(m)
		r.entry.Index, r.entry.Broker = nil, 0
		v, err := d.verify(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return d.records(nil, r, v, messages.Position{})
	}
	event := pulsar.ProducerMessage{Key: "sales", Payload: []byte("{}")}
	all, err := read(event)
	if err != nil || len(all) != 1 || all[0].Refused != unstamped || all[0].Append != messages.Unstamped || all[0].Key.Dashboard != "sales" {
		t.Errorf("a message that has no stamp: got %+v, %v", all, err)
	}
	if all, err := read(encoded(p, d, eventlog.Entry{Kind: messages.KindTick})); !errors.Is(err, eventlog.ErrUnstamped) {
		t.Errorf("a tick of ours that has none: got %+v, %v", all, err)
	}
	d.l.control.unstamped.Store(true)
	if all, err := read(event); !errors.Is(err, eventlog.ErrUnstamped) {
		t.Errorf("a message that has none, of a broker that has not stamped the control topic: got %+v, %v", all, err)
	}
}

// A key that was announced and that this process lacks leads to no verdict: others may have it.
func TestAKeyThatIsLacking(t *testing.T) {
	tenant := Tenant{Name: "acme", Made: "first"}
	p, d := partitionAndDecoder(t, tenant, 1, otherKey)
	m := encoded(p, d, eventlog.Entry{Kind: messages.KindTick})
	_, lacking := partitionAndDecoder(t, tenant, 1, oneKey)
	if err := lacking.p.tenant.announced.add([]string{KeyID(otherKey)}); err != nil {
		t.Fatal(err)
	}
	_, err := lacking.verify(t.Context(), arrive(m))
	if !errors.Is(err, errKeyLess) {
		t.Errorf("got %v", err)
	}
}

// The number of key ids is bounded, and the error for an invalid id names it.
func TestAnnouncedKeys(t *testing.T) {
	var a announcedKeys
	if a.has(idOf(oneKey)) {
		t.Error("nothing was announced")
	}
	for i := range maxKeys {
		id := KeyID(bytes.Repeat([]byte{byte(i)}, KeyBytes))
		for range 2 {
			if err := a.add([]string{id}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !a.has(idOf(oneKey)) {
		t.Error("an id was announced and is not known")
	}
	if err := a.add([]string{KeyID(bytes.Repeat([]byte{200}, KeyBytes))}); err == nil {
		t.Error("one id more was taken")
	}
	if err := a.add([]string{"xyz"}); err == nil {
		t.Error("an id that is none was taken")
	}
}

// BenchmarkMAC measures what the signature of a tick costs, from signing to verifying.
func BenchmarkMAC(b *testing.B) {
	p := (&table{}).with(Tenant{Name: "acme", Partitions: 1, Made: "first"}, [][]byte{oneKey}).shards[0]
	for _, x := range []struct {
		name  string
		bytes int
	}{{"tick", 8}, {"event-200B", 200}, {"packed-64KiB", 64 << 10}} {
		b.Run("sign/"+x.name, func(b *testing.B) {
			m := &pulsar.ProducerMessage{Payload: make([]byte, x.bytes), Properties: map[string]string{kindProperty: "tick"}}
			b.ReportAllocs()
			for b.Loop() {
				p.sign(m)
			}
		})
		b.Run("verify/"+x.name, func(b *testing.B) {
			m := pulsar.ProducerMessage{Payload: make([]byte, x.bytes), Properties: map[string]string{kindProperty: "tick"}}
			p.sign(&m)
			d := &decoder{p: p}
			r := arrive(m)
			b.ReportAllocs()
			for b.Loop() {
				if v, err := d.verify(b.Context(), r); v != valid || err != nil {
					b.Fatal(v, err)
				}
			}
		})
	}
}
