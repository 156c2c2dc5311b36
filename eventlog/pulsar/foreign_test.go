package pulsar_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	client "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/log"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// foreignProducer returns a producer of Pulsar's own client.
func foreignProducer(t *testing.T, c *pulsartest.Cluster, o client.ProducerOptions) client.Producer {
	t.Helper()
	p, err := plainClient(t, c).CreateProducer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// plainClient returns Pulsar's own client.
func plainClient(t *testing.T, c *pulsartest.Cluster) client.Client {
	t.Helper()
	cl, err := client.NewClient(client.ClientOptions{URL: c.BrokerURL, MetricsRegisterer: prometheus.NewRegistry(), Logger: log.NewLoggerWithSlog(slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// What Pulsar's own client sends with the dashboard as key, in batches and compressed, is stored in
// its home partition by the client's default hash, and arrives unchanged, from any record on. Only
// the old form of the key, which also names the tenant, goes to another partition.
func TestStrangersInBatches(t *testing.T) {
	c := pulsartest.Shared(t)
	registry := prometheus.NewRegistry()
	l := open(t, c, func(c *pulsar.Config) { c.Metrics = registry })
	name, first := tenant(t, l, 3, pulsar.BrokerTime)
	p := foreignProducer(t, c, client.ProducerOptions{Topic: pulsar.EventsTopic(name), CompressionType: client.ZSTD, BatchingMaxMessages: 7})
	const n = 60
	sent := map[string]int{}
	for i := range n {
		k := messages.Key{Tenant: name, Dashboard: fmt.Sprint("d", i%5)}
		p.SendAsync(t.Context(), &client.ProducerMessage{Key: k.Dashboard, Payload: fmt.Appendf(nil, `{"n":%d}`, i), Properties: map[string]string{"theirs": "x"}}, func(_ client.MessageID, _ *client.ProducerMessage, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		home, _ := l.PartitionOf(k)
		sent[fmt.Sprint(home, k.Dashboard, i)] = i
	}
	if err := p.FlushWithCtx(context.Background()); err != nil {
		t.Fatal(err)
	}
	batched := 0
	for shard := first; shard < first+3; shard++ {
		last, err := l.Last(t.Context(), shard)
		if err != nil {
			t.Fatal(err)
		}
		r := reader(t, l, shard, messages.Position{})
		all, err := takeUntil(t.Context(), r, func(all []messages.Record) bool { return len(all) > 0 && all[len(all)-1].Position == last })
		if err != nil {
			t.Fatalf("up to %s: after %d records: %v", last, len(all), err)
		}
		for i, r := range all {
			var number int
			if _, err := fmt.Sscanf(string(r.Payload), `{"n":%d}`, &number); err != nil {
				t.Fatal(err)
			}
			delete(sent, fmt.Sprint(shard, r.Key.Dashboard, number))
			if r.Position.Lo>>16&0xffff > 0 {
				batched++
			}
			if i+1 < len(all) && i%5 == 0 {
				if next := take(t, reader(t, l, shard, r.Position), 1)[0]; next.Position != all[i+1].Position || string(next.Payload) != string(all[i+1].Payload) {
					t.Errorf("after %s comes %s %q, want %s %q", r.Position, next.Position, next.Payload, all[i+1].Position, all[i+1].Payload)
				}
			}
		}
	}
	if len(sent) > 0 {
		t.Errorf("not read at home: %v", sent)
	}
	if batched == 0 {
		t.Error("nothing was sent in batches")
	}
	if got := counted(t, registry, "dashfeed_log_addressed_records_total"); got < n {
		t.Errorf("%v records were read where their producer put them, want %d and those that were read again", got, n)
	}
	if got := counted(t, registry, "dashfeed_log_misrouted_records_total"); got != 0 {
		t.Errorf("%v records do not lie at home", got)
	}
	old := name + "/e"
	away := (eventlog.PartitionOf("e", 3) + 1) % 3
	shard := first + away
	misrouted := foreignProducer(t, c, client.ProducerOptions{Topic: pulsar.PartitionTopic(pulsar.EventsTopic(name), away), DisableBatching: true})
	if _, err := misrouted.Send(t.Context(), &client.ProducerMessage{Key: old, Payload: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	_, err := takeUntil(t.Context(), reader(t, l, shard, messages.Position{}), func(all []messages.Record) bool {
		return len(all) > 0 && all[len(all)-1].Key.String() == old
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := counted(t, registry, "dashfeed_log_misrouted_records_total"); got == 0 {
		t.Error("the record with the old form of the key is not counted as one that does not lie at home")
	}
}

// counted returns the value of a metric without labels.
func counted(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// The dashboard of a message is the one that its key names, else the one that its payload names. If
// neither names one, the message is refused.
func TestStrangersAddresses(t *testing.T) {
	c := pulsartest.Shared(t)
	registry := prometheus.NewRegistry()
	l := open(t, c, func(c *pulsar.Config) { c.Metrics = registry })
	name, first := tenant(t, l, 2, pulsar.BrokerTime)
	p := foreignProducer(t, c, client.ProducerOptions{Topic: pulsar.PartitionTopic(pulsar.EventsTopic(name), 0), DisableBatching: true})
	plain := `{"metric":"m","value":1}`
	of := func(tenant, dashboard string) string {
		return fmt.Sprintf(`{"tenant":%q,"dashboard":%q,"metric":"m","value":1}`, tenant, dashboard)
	}
	cases := []struct {
		what, key, payload string
		properties         map[string]string
		want               messages.Key
		kind               messages.Kind
		refused            string
	}{
		{"whole key", name + "/sales", plain, nil, messages.Key{Tenant: name, Dashboard: "sales"}, messages.KindEvent, ""},
		{"bare key", "sales", plain, nil, messages.Key{Tenant: name, Dashboard: "sales"}, messages.KindEvent, ""},
		{"bare key, payload names another tenant", "sales", of("other", "x"), nil, messages.Key{Tenant: name, Dashboard: "sales"}, messages.KindEvent, ""},
		{"no key", "", of(name, "sales"), nil, messages.Key{Tenant: name, Dashboard: "sales"}, messages.KindEvent, ""},
		{"no key, no tenant", "", `{"dashboard":"sales","metric":"m","value":1}`, nil, messages.Key{Tenant: name, Dashboard: "sales"}, messages.KindEvent, ""},
		{"no key, another tenant", "", of("other", "sales"), nil, messages.Key{Tenant: name}, messages.KindEvent, "wrong_tenant"},
		{"key of another tenant", "other/sales", plain, nil, messages.Key{Tenant: name}, messages.KindEvent, "wrong_tenant"},
		{"a key that is none", "a b", of(name, "sales"), nil, messages.Key{Tenant: name, Dashboard: "sales"}, messages.KindEvent, ""},
		{"nothing", "", "garbage", nil, messages.Key{Tenant: name}, messages.KindEvent, "no_dashboard"},
		{"packed garbage", "", "garbage", map[string]string{"dashfeed": "packed"}, messages.Key{Tenant: name}, messages.KindEvent, "unreadable"},
		{"a kind of tomorrow", name + "/sales", plain, map[string]string{"dashfeed": "tomorrow"}, messages.Key{Tenant: name}, messages.KindEvent, "unreadable"},
		{"a definition", "sales", "{}", map[string]string{"dashfeed": "definition"}, messages.Key{Tenant: name, Dashboard: "sales"}, messages.KindEvent, "no_mac"},
		{"another tenant's default", "other/", "{}", map[string]string{"dashfeed": "definition"}, messages.Key{Tenant: name}, messages.KindEvent, "unreadable"},
		{"a tick", "", "x", map[string]string{"dashfeed": "tick"}, messages.Key{Tenant: name}, messages.KindEvent, "no_mac"},
	}
	for _, x := range cases {
		if _, err := p.Send(t.Context(), &client.ProducerMessage{Key: x.key, Payload: []byte(x.payload), Properties: x.properties}); err != nil {
			t.Fatalf("%s: %v", x.what, err)
		}
	}
	for i, r := range take(t, reader(t, l, first, messages.Position{}), len(cases)) {
		if x := cases[i]; r.Key != x.want || r.Kind != x.kind || r.Refused != x.refused || r.Refused != "" && (r.Producer == "" || r.Payload != nil) {
			t.Errorf("%s: got %s of %+v, refused %q by %q, want %s of %+v, %q", x.what, r.Kind, r.Key, r.Refused, r.Producer, x.kind, x.want, x.refused)
		}
	}
	misrouted := 0.0
	if home, _ := l.PartitionOf(messages.Key{Tenant: name, Dashboard: "sales"}); home != first {
		misrouted = 6
	}
	if got := counted(t, registry, "dashfeed_log_misrouted_records_total"); got != misrouted {
		t.Errorf("%v records do not lie at home, want %v", got, misrouted)
	}
	if got := counted(t, registry, "dashfeed_log_addressed_records_total"); got != 6 {
		t.Errorf("%v records name a dashboard, want 6", got)
	}
}
