package pulsar_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// topicPath returns the path of a tenant's topic below the admin API.
func topicPath(topic string) string {
	return "persistent/" + strings.TrimPrefix(topic, "persistent://")
}

func admin(t testing.TB, c *pulsartest.Cluster, method, path, body string) string {
	t.Helper()
	answer, err := c.Admin(method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// The guard follows what is released, stops before the position's own message, and never goes back.
// What it has released is trimmed, and a reader that wants it gets ErrTrimmed, never a record from
// behind the gap.
func TestGuardAndTrimming(t *testing.T) {
	c := pulsartest.Shared(t)
	l := open(t, c)
	name, shard := tenant(t, l, 1, pulsar.BrokerTime)
	k := home(t, l, name, shard)
	topic := pulsar.PartitionTopic(pulsar.EventsTopic(name), 0)
	var receipts []eventlog.Receipt
	fill := func() {
		for i := range 5 {
			receipts = append(receipts, put(t, l, event(k, `{"n":%d}`, i), event(k, `{"n":"%d+"}`, i))...)
		}
	}
	guarded := func() string {
		var stats struct {
			Cursors map[string]struct{ MarkDeletePosition string }
		}
		if err := json.Unmarshal([]byte(admin(t, c, "GET", topicPath(topic)+"/internalStats", "")), &stats); err != nil {
			t.Fatal(err)
		}
		return stats.Cursors[pulsar.GuardName("dashfeed")].MarkDeletePosition
	}
	at := func(p messages.Position) string { return fmt.Sprintf("%d:%d", p.Hi-1, int64(p.Lo>>32)-1) }
	release := func(p messages.Position, want messages.Position) {
		t.Helper()
		if err := l.Release(shard, p); err != nil {
			t.Fatal(err)
		}
		await(t, "the guard stands at "+at(want), func() bool { return guarded() == at(want) })
	}

	fill()
	release(receipts[6].Position, receipts[6].Position)
	if got := take(t, reader(t, l, shard, messages.Position{}), 10); got[0].Position != receipts[0].Position {
		t.Errorf("the first record is at %s, want %s", got[0].Position, receipts[0].Position)
	}
	if err := l.Release(shard, receipts[2].Position); err != nil {
		t.Fatal(err)
	}

	admin(t, c, "POST", "namespaces/"+strings.Split(topicPath(topic), "/")[1]+"/dashfeed/retention", `{"retentionTimeInMinutes":0,"retentionSizeInMB":0}`)
	unload := func() { admin(t, c, "PUT", topicPath(topic)+"/unload", "") }
	unload()
	await(t, "appends go on after an unload", func() bool { _, err := l.Append(t.Context(), []eventlog.Entry{event(k, "{}")}); return err == nil })
	fill()
	unload()
	await(t, "appends go on after an unload", func() bool { _, err := l.Append(t.Context(), []eventlog.Entry{event(k, "{}")}); return err == nil })
	// nothing that is not released goes, whatever the retention says
	if got := take(t, reader(t, l, shard, receipts[6].Position), 4); got[0].Position != receipts[7].Position {
		t.Errorf("after the guard comes %s, want %s", got[0].Position, receipts[7].Position)
	}
	release(receipts[16].Position, receipts[16].Position)
	await(t, "the first ledger is trimmed", func() bool {
		admin(t, c, "POST", topicPath(topic)+"/trim", "")
		return !strings.Contains(admin(t, c, "GET", topicPath(topic)+"/internalStats", ""), fmt.Sprintf(`"ledgerId":%d,`, receipts[0].Position.Hi-1)) &&
			!strings.Contains(admin(t, c, "GET", topicPath(topic)+"/internalStats", ""), fmt.Sprintf(`"ledgerId" : %d,`, receipts[0].Position.Hi-1))
	})
	for _, after := range []messages.Position{{}, receipts[0].Position, receipts[9].Position} {
		r, err := l.Read(shard, after)
		if err == nil {
			var records []messages.Record
			records, err = r.Next(t.Context(), 10)
			if err == nil {
				t.Errorf("after %s comes %s %q", after, records[0].Position, records[0].Payload)
			}
			_ = r.Close()
		}
		if !errors.Is(err, eventlog.ErrTrimmed) {
			t.Errorf("after %s: %v, want ErrTrimmed", after, err)
		}
	}
	if got := take(t, reader(t, l, shard, receipts[16].Position), 1); got[0].Position != receipts[17].Position {
		t.Errorf("after what was released comes %s, want %s", got[0].Position, receipts[17].Position)
	}
}

// Each policy that loses records is reported with the command that repairs it, until it is
// repaired.
func TestPolicies(t *testing.T) {
	c := pulsartest.Shared(t)
	l := open(t, c, func(c *pulsar.Config) { c.CheckEvery = 100 * time.Millisecond })
	name, shard := tenant(t, l, 2, pulsar.BrokerTime)
	topic := pulsar.EventsTopic(name)
	other := open(t, c, func(c *pulsar.Config) {
		c.CheckEvery, c.ChecksPolicies = 100*time.Millisecond, func() bool { return false }
	})
	namespace := strings.TrimSuffix(strings.TrimPrefix(topic, "persistent://"), "/events")
	problem := func(word string) (found pulsar.Problem) {
		for _, p := range l.Problems() {
			if (p.Topic == topic || p.Topic == namespace) && strings.Contains(p.What, word) {
				found = p
			}
		}
		return found
	}
	for _, x := range []struct{ path, bad, good, word, command string }{
		{"/messageTTL", "60", "0", "live 60 s", "pulsar-admin namespaces set-message-ttl -ttl 0 " + namespace},
		{"/retention", `{"retentionTimeInMinutes":10,"retentionSizeInMB":-1}`, `{"retentionTimeInMinutes":60,"retentionSizeInMB":-1}`, "less than an hour", "pulsar-admin namespaces set-retention -t 24h -s -1 " + namespace},
		{"/backlogQuota", `{"limitSize":1000000000,"policy":"consumer_backlog_eviction"}`, `{"limitSize":1000000000,"policy":"producer_request_hold"}`, "evicts", "pulsar-admin namespaces remove-backlog-quota -t destination_storage " + namespace},
		{"/subscriptionExpirationTime", "5", "0", "expire after 5", "pulsar-admin namespaces set-subscription-expiration-time -t 0 " + namespace},
	} {
		admin(t, c, "POST", "namespaces/"+namespace+x.path, x.bad)
		await(t, "a problem: "+x.word, func() bool { return problem(x.word) != pulsar.Problem{} })
		if p := problem(x.word); p.Command != x.command || p.Stops {
			t.Errorf("%s\n got %q, stops %v\nwant %q", p.What, p.Command, p.Stops, x.command)
		}
		for _, p := range other.Problems() {
			if p.Topic == topic || p.Topic == namespace {
				t.Errorf("a process that another one checks policies for has found: %s", p)
			}
		}
		admin(t, c, "POST", "namespaces/"+namespace+x.path, x.good)
		await(t, "no problem any more: "+x.word, func() bool { return problem(x.word) == pulsar.Problem{} })
	}
	admin(t, c, "POST", topicPath(topic)+"/messageTTL?messageTTL=70", "")
	await(t, "a problem of the topic's own policy", func() bool { return problem("live 70 s") != pulsar.Problem{} })
	if p := problem("live 70 s"); p.Command != "pulsar-admin topicPolicies remove-message-ttl "+topic {
		t.Errorf("%s: %q", p.What, p.Command)
	}
	admin(t, c, "DELETE", topicPath(topic)+"/messageTTL", "")

	// no process of ours holds the guard yet, so it can be deleted
	admin(t, c, "DELETE", topicPath(topic)+"/subscription/"+pulsar.GuardName("dashfeed")+"?force=true", "")
	await(t, "a missing guard", func() bool {
		return strings.Contains(problem("guard").Command, "create-subscription -s dashfeed-guard-dashfeed")
	})

	k := home(t, l, name, shard)
	put(t, l, event(k, "{}"))
	r := reader(t, l, shard, messages.Position{})
	take(t, r, 1)
	admin(t, c, "POST", topicPath(topic)+"/partitions", "3")
	await(t, "more partitions are told", func() bool { return problem("3 partitions") != pulsar.Problem{} && !problem("3 partitions").Stops })
	put(t, l, event(k, "{}"))
	take(t, r, 1)
	admin(t, c, "DELETE", topicPath(topic)+"/partitions?force=true", "")
	admin(t, c, "PUT", topicPath(topic)+"/partitions", "1")
	await(t, "fewer partitions stop the shard", func() bool { return problem("1 partitions").Stops })
	if command := problem("1 partitions").Command; command != "pulsar-admin topics update-partitioned-topic -p 2 "+topic {
		t.Errorf("fewer partitions are mended by %q", command)
	}
	if _, err := l.Read(shard, messages.Position{}); err == nil || !strings.Contains(err.Error(), "1 partitions") {
		t.Errorf("a reader of a topic with fewer partitions: %v", err)
	}
	admin(t, c, "DELETE", topicPath(topic)+"/partitions?force=true", "")
	await(t, "a missing topic stops the shard", func() bool { return problem("missing").Stops })
	if _, err := l.Read(shard, messages.Position{}); err == nil || !strings.Contains(err.Error(), "create-partitioned-topic -p 2") {
		t.Errorf("read a missing topic: %v", err)
	}
	if _, err := l.Append(t.Context(), []eventlog.Entry{event(k, "{}")}); err == nil {
		t.Error("append to a missing topic: no error")
	} else {
		t.Log(err)
	}
}

// A stock broker gives records neither time nor number. A tenant of broker time stops, and the
// error names the setting; a tenant whose log time is ticks is served, with the ticks' time alone.
func TestStockBroker(t *testing.T) {
	c := pulsartest.Start(t, pulsartest.Options{Stock: true})
	l := open(t, c, func(c *pulsar.Config) { c.CheckEvery = 100 * time.Millisecond })
	name, shard := tenant(t, l, 1, pulsar.TickTime)
	k := home(t, l, name, shard)
	put(t, l, event(k, "{}"))
	put(t, l, event(k, "{}"), eventlog.Entry{Kind: messages.KindTick, Partition: shard})
	put(t, l, event(k, "{}"), event(k, "{}"))
	var receipts []eventlog.Receipt
	for i, r := range take(t, reader(t, l, shard, messages.Position{}), 6) {
		receipts = append(receipts, eventlog.Receipt{Position: r.Position})
		if tick := i == 0 || i == 3; tick != (r.Kind == messages.KindTick) || tick != (r.Append != messages.Unstamped) {
			t.Errorf("record %d: %s at %d", i, r.Kind, r.Append)
		} else if off := time.Since(time.UnixMilli(r.Append)); tick && (off < 0 || off > time.Minute) {
			t.Errorf("tick %d has a time %v ago", i, off)
		}
	}
	for i := range receipts[:5] {
		if got := take(t, reader(t, l, shard, receipts[i].Position), 1)[0]; got.Position != receipts[i+1].Position {
			t.Errorf("after %s comes %s, want %s", receipts[i].Position, got.Position, receipts[i+1].Position)
		}
	}

	name, shard = tenant(t, l, 1, pulsar.BrokerTime)
	put(t, l, event(home(t, l, name, shard), "{}"))
	r, err := l.Read(shard, messages.Position{})
	if err == nil {
		_, err = r.Next(t.Context(), 1)
		if !errors.Is(err, eventlog.ErrUnstamped) {
			t.Errorf("read: %v, want ErrUnstamped", err)
		}
		defer r.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "AppendIndexMetadataInterceptor") {
		t.Errorf("the error does not name the setting: %v", err)
	}
	await(t, "a problem that stops the shard", func() bool {
		for _, p := range l.Problems() {
			if p.Topic == pulsar.EventsTopic(name) && p.Stops && strings.Contains(p.Command, "exposingBrokerEntryMetadataToClientEnabled=true") {
				return true
			}
		}
		return false
	})
}

// The error of a log that can't connect says why, and comes soon.
func TestConnecting(t *testing.T) {
	c := pulsartest.Start(t, pulsartest.Options{Tokens: true, TLS: true})
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(tokens, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(c.Token("admin"))
	for _, x := range []struct {
		what string
		set  func(*pulsar.Config)
		want string // "": it connects
	}{
		{"token", func(o *pulsar.Config) { o.Security.Token = c.Token("admin") }, ""},
		{"token file over TLS", func(o *pulsar.Config) {
			o.BrokerURL, o.AdminURL = c.BrokerTLS, c.AdminTLS
			o.Security = pulsar.Security{TokenFile: tokens, CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key}
		}, ""},
		{"no token", func(*pulsar.Config) {}, "the token"},
		{"wrong token", func(o *pulsar.Config) { o.Security.Token = "x" + c.Token("admin") }, "the token"},
		{"wrong token, no admin", func(o *pulsar.Config) { o.AdminURL, o.Security.Token = "", "x"+c.Token("admin") }, "token"},
		{"a role without rights", func(o *pulsar.Config) { o.Security.Token = c.Token("nobody") }, "role"},
		{"no token file", func(o *pulsar.Config) { o.Security.TokenFile = other + ".none" }, "read the token"},
		{"another authority", func(o *pulsar.Config) {
			o.BrokerURL, o.Security.Token = c.BrokerTLS, c.Token("admin")
		}, "CA file"},
		{"a CA file that is none", func(o *pulsar.Config) { o.Security.CA = other }, "no certificate in PEM"},
		{"nobody listens", func(o *pulsar.Config) { o.BrokerURL = "pulsar://127.0.0.1:1" }, "nobody listens"},
		{"admin URL is the broker's", func(o *pulsar.Config) {
			o.AdminURL, o.Security.Token = strings.Replace(c.BrokerURL, "pulsar", "http", 1), c.Token("admin")
		}, "admin API"},
		{"no URL", func(o *pulsar.Config) { o.BrokerURL = "127.0.0.1:6650" }, "pulsar://host:port"},
	} {
		config := pulsar.Default(c.BrokerURL, c.AdminURL)
		config.Timeout = 3 * time.Second
		x.set(&config)
		began := time.Now()
		l, err := pulsar.Open(t.Context(), config)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: it took %v", x.what, took)
		}
		if err == nil {
			_ = l.Close()
		}
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %q", x.what, err, x.want)
		}
		t.Logf("%s: %v: %v", x.what, time.Since(began).Round(time.Millisecond), err)
	}
}

// A token file is read at each connect: after the broker's restart, the log continues with the
// token that is in the file then. And a log whose broker is down can be closed.
func TestTokenAgainAndClose(t *testing.T) {
	c := pulsartest.Start(t, pulsartest.Options{Tokens: true})
	tokens := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(tokens, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(c.Token("admin"))
	l := open(t, c, func(o *pulsar.Config) { o.Security.TokenFile, o.Timeout = tokens, 5*time.Second })
	name, shard := tenant(t, l, 1, pulsar.BrokerTime)
	e := event(home(t, l, name, shard), "{}")
	put(t, l, e)
	r := reader(t, l, shard, messages.Position{})
	take(t, r, 1)
	write("no token any more")
	restart := func() {
		if err := errors.Join(c.Kill(), c.Up()); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	if _, err := l.Append(t.Context(), []eventlog.Entry{e}); !errors.Is(err, eventlog.ErrUnreachable) {
		t.Errorf("append with a token that is none: %v", err)
	}
	write(c.Token("admin"))
	await(t, "an append with the new token", func() bool { _, err := l.Append(t.Context(), []eventlog.Entry{e}); return err == nil })
	take(t, r, 1)
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("closing took %v", took)
	}
	if _, err := r.Next(t.Context(), 1); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("a reader of a closed log: %v", err)
	}
}
