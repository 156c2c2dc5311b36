package pulsar_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// home returns the key of a dashboard of the tenant whose home is the given shard.
func home(t testing.TB, l *pulsar.Log, tenant string, shard int) messages.Key {
	t.Helper()
	for i := range 10_000 {
		k := messages.Key{Tenant: tenant, Dashboard: fmt.Sprint("d", i)}
		if p, err := l.PartitionOf(k); err != nil {
			t.Fatal(err)
		} else if p == shard {
			return k
		}
	}
	t.Fatalf("no dashboard lives in shard %d", shard)
	return messages.Key{}
}

func event(k messages.Key, format string, args ...any) eventlog.Entry {
	return eventlog.Entry{Kind: messages.KindEvent, Key: k, Payload: fmt.Appendf(nil, format, args...)}
}

func put(t testing.TB, l *pulsar.Log, entries ...eventlog.Entry) []eventlog.Receipt {
	t.Helper()
	receipts, err := l.Append(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	return receipts
}

// take reads n records, and fails the test if they do not come.
func take(t testing.TB, r eventlog.Reader, n int) []messages.Record {
	t.Helper()
	all, err := takeUntil(t.Context(), r, func(all []messages.Record) bool { return len(all) >= n })
	if err != nil {
		t.Fatalf("after %d of %d records: %v", len(all), n, err)
	}
	return all
}

const quietFor = 3 * time.Minute

// takeUntil gives up if nothing comes for a long time: a broker has taken 84 s to start on a busy
// machine.
func takeUntil(ctx context.Context, r eventlog.Reader, enough func([]messages.Record) bool) (all []messages.Record, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(quietFor, func() { cancel(fmt.Errorf("nothing came for %s", quietFor)) })
	defer quiet.Stop()
	for !enough(all) {
		records, err := r.Next(ctx, 1000)
		if err != nil {
			return all, err
		}
		quiet.Reset(quietFor)
		for _, record := range records {
			record.Payload = slices.Clone(record.Payload)
			all = append(all, record)
		}
	}
	return all, nil
}

func reader(t testing.TB, l *pulsar.Log, shard int, after messages.Position) eventlog.Reader {
	t.Helper()
	r, err := l.Read(shard, after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// A broker that is killed twice during appends and reads loses nothing that it acknowledged.
// Readers and producers resume by themselves, appends end in time, and the log reports that it is
// cut off.
func TestBrokerKilled(t *testing.T) {
	c := pulsartest.Start(t, pulsartest.Options{})
	l := open(t, c, func(c *pulsar.Config) { c.Timeout = 5 * time.Second })
	name, shard := tenant(t, l, 1, pulsar.BrokerTime)
	k := home(t, l, name, shard)

	ctx, stop := context.WithCancel(t.Context())
	var acknowledged []string
	var work sync.WaitGroup
	unreachable := 0
	work.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			entries := []eventlog.Entry{event(k, `{"n":"%d"}`, i)}
			if i%2 == 0 {
				entries = append(entries, event(k, `{"n":"%d+"}`, i))
			}
			began := time.Now()
			receipts, err := l.Append(t.Context(), entries)
			if took := time.Since(began); took > 7*time.Second {
				t.Errorf("an append took %v", took)
			}
			if err != nil && !errors.Is(err, eventlog.ErrUnreachable) {
				t.Errorf("append: %v", err)
			}
			if err != nil {
				unreachable++
			}
			for j, r := range receipts {
				if !r.Position.IsZero() {
					acknowledged = append(acknowledged, fmt.Sprint(r.Position, string(entries[j].Payload)))
				}
			}
		}
	})
	read := make(chan []messages.Record, 1)
	live := reader(t, l, shard, messages.Position{})
	work.Go(func() {
		all, err := takeUntil(t.Context(), live, func(all []messages.Record) bool {
			return len(all) > 0 && string(all[len(all)-1].Payload) == `{"n":"end"}`
		})
		if err != nil {
			t.Errorf("read: after %d records: %v", len(all), err)
		}
		read <- all
	})

	for range 2 {
		await(t, "appends", func() bool {
			last, err := l.Last(t.Context(), shard)
			return err == nil && last.Lo>>32 > 100 || err == nil && last.Hi > 20
		})
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		await(t, "Err says that the broker is away", func() bool { return errors.Is(l.Err(), eventlog.ErrUnreachable) })
		if err := c.Up(); err != nil {
			t.Fatal(err)
		}
		await(t, "Err says that the broker is back", func() bool { return l.Err() == nil })
	}
	stop()
	appended := func() bool {
		_, err := l.Append(t.Context(), []eventlog.Entry{event(k, `{"n":"end"}`)})
		return err == nil
	}
	await(t, "an append after all", appended)
	work.Wait()
	if unreachable == 0 {
		t.Error("no append was cut off by two kills")
	}
	seen := map[string]bool{}
	all := <-read
	for i, r := range all {
		seen[fmt.Sprint(r.Position, string(r.Payload))] = true
		if i > 0 && !r.Position.After(all[i-1].Position) {
			t.Fatalf("position %s follows %s", r.Position, all[i-1].Position)
		}
	}
	for _, a := range acknowledged {
		if !seen[a] {
			t.Errorf("%s was acknowledged and is not read", a)
		}
	}
	again := take(t, reader(t, l, shard, messages.Position{}), len(all))
	for i := range all {
		if all[i].Position != again[i].Position || string(all[i].Payload) != string(again[i].Payload) || all[i].Append != again[i].Append {
			t.Fatalf("record %d is read as %s %q, then as %s %q", i, all[i].Position, all[i].Payload, again[i].Position, again[i].Payload)
		}
	}
	t.Logf("%d acknowledged, %d read, %d appends cut off", len(acknowledged), len(all), unreachable)
}

// await waits for an effect of a goroutine or of the broker.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for: %s", what)
		}
		time.Sleep(20 * time.Millisecond) // polls a broker, which sends no notice
	}
}

// Every Log grows with a tenant that one of them adds, and all that add it at once agree.
func TestTenants(t *testing.T) {
	c := pulsartest.Shared(t)
	a, b := open(t, c), open(t, c)
	before := b.Partitions()
	grown := b.Grown()
	name, first := tenant(t, a, 4, pulsar.BrokerTime)
	select {
	case <-grown:
	case <-time.After(20 * time.Second):
		t.Fatal("the other log did not grow")
	}
	if got, n, err := b.Tenant(name); err != nil || got != first || n != 4 || b.Partitions() != before+4 {
		t.Errorf("the other log has the tenant at %d with %d partitions of %d, %v; want %d, 4 of %d", got, n, b.Partitions(), err, first, before+4)
	}
	if err := b.AddTenant(t.Context(), pulsar.Tenant{Name: name, Partitions: 4}); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := b.AddTenant(t.Context(), pulsar.Tenant{Name: name, Partitions: 5}); err == nil {
		t.Error("another number of partitions was taken")
	}
	for _, bad := range []pulsar.Tenant{{Name: "a/b", Partitions: 1}, {Name: "x"}, {Name: "x", Partitions: pulsar.MaxPartitions + 1}, {Name: "x", Partitions: 1, LogTime: "wall"}} {
		if err := a.AddTenant(t.Context(), bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	if _, _, err := a.Tenant("nobody"); !errors.Is(err, eventlog.ErrUnknownTenant) {
		t.Errorf("a tenant that is not there: %v", err)
	}
	receipts, err := a.Append(t.Context(), []eventlog.Entry{event(messages.Key{Tenant: "nobody", Dashboard: "d"}, "{}"), event(home(t, a, name, first), "{}")})
	if !errors.Is(err, eventlog.ErrUnknownTenant) || !receipts[0].Position.IsZero() || receipts[1].Position.IsZero() {
		t.Errorf("append for a tenant that is not there, and one that is: %v, %v", receipts, err)
	}
	if r := take(t, reader(t, b, first, messages.Position{}), 1); r[0].Key.Tenant != name {
		t.Errorf("read %+v", r[0])
	}

	var adders sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		adders.Go(func() {
			errs[i] = []*pulsar.Log{a, b}[i%2].AddTenant(t.Context(), pulsar.Tenant{Name: name + "x", Partitions: 1 + i/2})
		})
	}
	adders.Wait()
	winner, n, err := a.Tenant(name + "x")
	if err != nil {
		t.Fatalf("after four adders: %v, %v", err, errs)
	}
	for i, e := range errs {
		if (e == nil) != (n == 1+i/2) {
			t.Errorf("the tenant has %d partitions, who asked for %d got %v", n, 1+i/2, e)
		}
	}
	await(t, "both logs agree", func() bool { first, m, err := b.Tenant(name + "x"); return err == nil && first == winner && m == n })
	if !slices.Equal(a.Tenants(), b.Tenants()) {
		t.Errorf("tenants: %v and %v", a.Tenants(), b.Tenants())
	}
	fresh := open(t, c)
	if !slices.Equal(a.Tenants(), fresh.Tenants()) {
		t.Errorf("tenants: %v, after a start %v", a.Tenants(), fresh.Tenants())
	}
	made := map[string]bool{}
	for _, x := range fresh.Tenants() {
		made[x.Made] = true
	}
	if len(made) != len(fresh.Tenants()) || made[""] {
		t.Errorf("tenants were made under the names %v", made)
	}
	for _, p := range fresh.Problems() {
		if p.Topic == pulsar.EventsTopic(name) {
			t.Errorf("a new tenant has a problem: %s", p)
		}
	}
}
