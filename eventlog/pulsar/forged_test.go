package pulsar_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	client "github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
)

// folded folds a partition up to its end, as a shard does.
func folded(t *testing.T, l *pulsar.Log, shard int) *fold.Shard {
	t.Helper()
	s := fold.NewShard("local", fold.Builtin())
	s.Home(func(k messages.Key) bool {
		home, err := l.PartitionOf(k)
		return err == nil && home == shard
	})
	last, err := l.Last(t.Context(), shard)
	if err != nil {
		t.Fatal(err)
	}
	all, err := takeUntil(t.Context(), reader(t, l, shard, messages.Position{}), func(all []messages.Record) bool {
		return len(all) > 0 && !last.After(all[len(all)-1].Position)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		s.Fold(r)
	}
	return s
}

// copyOf sends every message of one partition to another, like a tool that keeps keys and
// properties.
func copyOf(t *testing.T, c *pulsartest.Cluster, from, to string, n int) {
	t.Helper()
	cl := plainClient(t, c)
	r, err := cl.CreateReader(client.ReaderOptions{Topic: from, StartMessageID: client.EarliestMessageID()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := cl.CreateProducer(client.ProducerOptions{Topic: to, DisableBatching: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range n {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		m, err := r.Next(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Send(t.Context(), &client.ProducerMessage{Key: m.Key(), Payload: bytes.Clone(m.Payload()), Properties: maps.Clone(m.Properties()), EventTime: m.EventTime()}); err != nil {
			t.Fatal(err)
		}
	}
}

// 240 events with the property dashfeed-origin are refused and listed at their dashboard. They do
// not suppress any of the 4,999 ordinary events that come after them and are forwarded from the
// place that the property names.
func TestForgedOriginsTakeNothing(t *testing.T) {
	c := pulsartest.Shared(t)
	l := open(t, c)
	name, first := tenant(t, l, 2, pulsar.BrokerTime)
	k := home(t, l, name, first)
	p := foreignProducer(t, c, client.ProducerOptions{Topic: pulsar.PartitionTopic(pulsar.EventsTopic(name), 0), BatchingMaxPublishDelay: time.Millisecond})
	send := func(id string, properties map[string]string) {
		p.SendAsync(t.Context(), &client.ProducerMessage{Key: k.Dashboard, Payload: fmt.Appendf(nil, `{"id":"%s","metric":"m","value":1}`, id), Properties: properties}, func(_ client.MessageID, _ *client.ProducerMessage, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	const misrouted, ordinary = 240, 4999
	for i := range misrouted {
		// of the other partition, far beyond its end
		far := messages.Position{Hi: 1 << 40, Lo: uint64(i) << 32}
		send(fmt.Sprint("copied-", i), map[string]string{"dashfeed-origin": fmt.Sprintf("%d:%s", first+1, far)})
	}
	for i := range ordinary / 2 {
		send(fmt.Sprint("plain-", i), nil)
	}
	if err := p.FlushWithCtx(t.Context()); err != nil {
		t.Fatal(err)
	}
	var entries []eventlog.Entry
	for i := range ordinary - ordinary/2 {
		entries = append(entries, eventlog.Entry{
			Kind: messages.KindEvent, Key: k, Payload: fmt.Appendf(nil, `{"id":"forwarded-%d","metric":"m","value":1}`, i),
			Origin: messages.Origin{Partition: first + 1, Position: messages.Position{Hi: 1, Lo: uint64(i + 1)}},
		})
	}
	if _, err := l.Append(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	for range 2 { // every reader sees the same
		d := folded(t, l, first).Dashboard(k)
		counters := d.Counters()
		if counters.Accepted != ordinary || counters.Invalid != misrouted {
			t.Fatalf("%d events are accepted and %d invalid, want %d and %d", counters.Accepted, counters.Invalid, ordinary, misrouted)
		}
	}
}

// A topic that is copied with all properties steers nothing: neither the tenant's own topic, copied
// behind itself or into its other partition, nor another tenant's. Its events count where they are
// copied to.
func TestCopiedTopics(t *testing.T) {
	c := pulsartest.Shared(t)
	l := open(t, c)
	name, first := tenant(t, l, 2, pulsar.BrokerTime)
	other, otherFirst := tenant(t, l, 2, pulsar.BrokerTime)
	k := home(t, l, name, first)
	event := func(id string) eventlog.Entry {
		return eventlog.Entry{Kind: messages.KindEvent, Key: k, Payload: fmt.Appendf(nil, `{"id":"%s","metric":"m","value":1}`, id)}
	}
	forwarded := func(id string, at uint64) eventlog.Entry {
		e := event(id)
		e.Origin = messages.Origin{Partition: first + 1, Position: messages.Position{Hi: 1, Lo: at}}
		return e
	}
	definition := eventlog.Entry{Kind: messages.KindDefinition, Key: k, Payload: definitionOf(t, "total")}
	calls := [][]eventlog.Entry{
		{definition}, {event("1")}, {event("2"), event("3")}, {forwarded("4", 1)}, {forwarded("5", 2), forwarded("6", 3)}, {{Kind: messages.KindTick, Partition: first}},
	}
	for _, entries := range calls {
		if _, err := l.Append(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
	}
	before := folded(t, l, first).Dashboard(k)
	if n := before.Counters().Accepted; n != 6 {
		t.Fatalf("%d events are accepted, want 6", n)
	}
	from := pulsar.PartitionTopic(pulsar.EventsTopic(name), 0)
	copyOf(t, c, from, pulsar.PartitionTopic(pulsar.EventsTopic(name), 1), len(calls))
	copyOf(t, c, from, pulsar.PartitionTopic(pulsar.EventsTopic(other), 0), len(calls))
	copyOf(t, c, from, from, len(calls))

	own := folded(t, l, first)
	if got := own.Dashboard(k).Counters(); got.Accepted != 6 || got.Invalid != 0 || len(own.State().Refusals()) != 0 {
		t.Errorf("behind itself: %+v, and %v refused; want 6 accepted and none refused", got, own.State().Refusals())
	}
	// In the other partition, and in the other tenant's, every steering message is refused: the
	// definition, the forwarded event, the packed ones, the tick.
	for where, shard := range map[string]int{"the other partition": first + 1, "the other tenant": otherFirst} {
		s := folded(t, l, shard)
		refused := uint64(0)
		for reason, n := range s.State().RefusedCounts() {
			if reason != "bad_mac" {
				t.Errorf("in %s: %d refused for %s", where, n, reason)
			}
			refused += n
		}
		if d := s.Dashboard(messages.Key{Tenant: other, Dashboard: k.Dashboard}); d != nil {
			refused += d.Counters().Invalid
			if d.Counters().Accepted != 3 {
				t.Errorf("in %s: %d events are accepted, want 3", where, d.Counters().Accepted)
			}
		}
		if refused != 4 {
			t.Errorf("in %s: %d are refused, want 4: %v", where, refused, s.State().Refusals())
		}
	}
}

// The id of a key is announced before the key's first use. A process that has the key reads the
// records, one that lacks it stops and names the key, and a key that nobody announced is not valid.
func TestKeysAreRotated(t *testing.T) {
	c := pulsartest.Shared(t)
	old, young := pulsartest.Keys()[0], bytes.Repeat([]byte{9}, pulsar.KeyBytes)
	with := func(keys ...[]byte) *pulsar.Log {
		return open(t, c, func(c *pulsar.Config) { c.Keys = keys })
	}
	first := with(old)
	name, shard := tenant(t, first, 1, pulsar.BrokerTime)
	both, rotated, behind, foreign := with(old, young), with(young, old), with(old), with(bytes.Repeat([]byte{8}, pulsar.KeyBytes))
	tick := []eventlog.Entry{{Kind: messages.KindTick, Partition: shard}}
	for _, l := range []*pulsar.Log{first, both, rotated} {
		if _, err := l.Append(t.Context(), tick); err != nil {
			t.Fatal(err)
		}
	}
	for what, l := range map[string]*pulsar.Log{"both": both, "rotated": rotated} {
		for i, r := range take(t, reader(t, l, shard, messages.Position{}), 3) {
			if r.Kind != messages.KindTick || r.Refused != "" {
				t.Errorf("%s: record %d is %+v", what, i, r)
			}
		}
	}
	for l, want := range map[*pulsar.Log]string{behind: pulsar.KeyID(young), foreign: pulsar.KeyID(old)} {
		_, err := takeUntil(t.Context(), reader(t, l, shard, messages.Position{}), func(all []messages.Record) bool { return len(all) == 3 })
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--cluster-key") {
			t.Errorf("got %v, want key %s named", err, want)
		}
	}
	// A copy of this topic in a tenant that does not know the new key is refused, though none of
	// the readers has the key.
	other, otherShard := tenant(t, first, 1, pulsar.BrokerTime)
	copyOf(t, c, pulsar.PartitionTopic(pulsar.EventsTopic(name), 0), pulsar.PartitionTopic(pulsar.EventsTopic(other), 0), 3)
	for i, r := range take(t, reader(t, first, otherShard, messages.Position{}), 3) {
		if r.Refused != "bad_mac" {
			t.Errorf("copy %d is %+v, want it refused", i, r)
		}
	}
	if _, err := with().Append(t.Context(), tick); err == nil || !strings.Contains(err.Error(), "no cluster key") {
		t.Errorf("without a key: got %v", err)
	}
}

func definitionOf(t *testing.T, panel string) []byte {
	t.Helper()
	all, err := definition.Parse("", fmt.Appendf(nil, "dashboard: d\npanels: [{id: %s, window: {tumbling: 1h}, aggregates: [count]}]", panel), definition.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return definition.Record{Revision: 1, Region: "local", Definition: all[0]}.Append(nil)
}
