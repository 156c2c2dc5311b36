package limits

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dashfeed/dashfeed/messages/wire"
)

func newLimits(t testing.TB, c Config) *Limits {
	t.Helper()
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for i, r := range Table {
		prefix := string(r.Scope) + "-"
		switch {
		case int(r.Limit) != i:
			t.Errorf("line %d is of limit %d", i, r.Limit)
		case r.Name == "" || seen[r.Name] || r.What == "" || r.Over == "" || r.Unit == "":
			t.Errorf("%+v is not complete, or its name is taken", r)
		case r.Scope == Tenant && strings.Contains(r.Name, "-"), r.Scope != Tenant && !strings.HasPrefix(r.Name, prefix):
			t.Errorf("%s is a name for another scope than %s", r.Name, r.Scope)
		}
		seen[r.Name] = true
	}
}

func TestParse(t *testing.T) {
	got, err := Parse([]string{"events=5000", " bytes = 2MiB", "subject-bytes=none", "address-connects=0.5", "sessions=0"}, nil)
	want := Values{TenantEvents: 5000, TenantBytes: 2 << 20, SubjectBytes: None, AddressConnects: 0.5, TenantSessions: 0}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	_, err = Parse([]string{"event=1", "events", "events=-1", "sessions=1.5", "bytes=x", "events=NaN", "sessions=1KiB", "bytes=1", "bytes=2"}, nil)
	if err == nil {
		t.Fatal("bad settings are accepted")
	}
	for _, part := range []string{`"event" is not known; names are address-connects, `, `"events" is not allowed: want NAME=VALUE`, `events: "-1" is not allowed`, `sessions: "1.5" is not allowed: a whole number`, `bytes: "x"`, `"NaN"`, `"1KiB"`, "bytes is given twice"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	if _, err := Parse([]string{"address-connects=1"}, ofTenants); err == nil || strings.Contains(err.Error(), "process-memory") {
		t.Errorf("a tenant sets a limit of addresses: %v", err)
	}
	if _, err := Lowered(map[string]float64{"evts": 1}); err == nil || !strings.Contains(err.Error(), "events") {
		t.Errorf("a token's unknown name: %v", err)
	}
	if got, err := Lowered(map[string]float64{"events": 1}); err != nil || got[TenantEvents] != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

var client = By{Address: netip.MustParseAddr("192.0.2.1")}

// refusedAfter returns after how many single ones a limit refuses.
func refusedAfter(l *Limits, limit Limit, by *By, k Key) (n int, err *wire.Error) {
	for ; n < 10_000; n++ {
		if err := l.Take(limit, by, k, 1); err != nil {
			return n, err
		}
	}
	return n, nil
}

// TestRates: a bucket gives what it holds, then its rate, to each of its scope.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits(t, Config{Values: Values{TenantEvents: 100}})
		a, b := Key{Tenant: "a"}, Key{Tenant: "b"}
		n, err := refusedAfter(l, TenantEvents, &client, a)
		if n != 100 || err == nil || err.Code != wire.CodeLimit || err.After != 10 || !strings.Contains(err.Message, "limit events is reached: tenant a may have at most 100 events/s") {
			t.Fatalf("refused after %d: %+v", n, err)
		}
		if n, _ := refusedAfter(l, TenantEvents, &client, b); n != 100 {
			t.Errorf("the other tenant is refused after %d", n)
		}
		time.Sleep(500 * time.Millisecond)
		if n, _ := refusedAfter(l, TenantEvents, &client, a); n != 50 {
			t.Errorf("after half a second %d", n)
		}
		// more than a full bucket: it needs a full one, and leaves a debt
		if err := l.Take(TenantEvents, &client, a, 1000); err == nil || err.After != 1000 {
			t.Errorf("an empty bucket gives a thousand: %+v", err)
		}
		time.Sleep(time.Second)
		if err := l.Take(TenantEvents, &client, a, 1000); err != nil {
			t.Errorf("a full bucket does not give a thousand: %v", err)
		}
		if wait := l.Wait(TenantEvents, &client, a); wait != 9010*time.Millisecond {
			t.Errorf("the debt of 900 takes %v", wait)
		}
		if got := testutil.ToFloat64(l.metrics.limited[TenantEvents]); got != 4 {
			t.Errorf("%v refusals are counted", got)
		}
	})
}

// TestOverrides: a tenant's own value counts at once, higher or lower, and a token only lowers.
func TestOverrides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits(t, Config{Values: Values{TenantEvents: 100, SubjectConnections: 4}})
		a, b := Key{Tenant: "a"}, Key{Tenant: "b"}
		if err := l.Take(TenantEvents, &client, a, 100); err != nil {
			t.Fatal(err)
		}
		l.Override(Tenants{"a": {TenantEvents: 1000, AddressConnects: 1}, "b": {TenantEvents: 10}})
		if n, _ := refusedAfter(l, TenantEvents, &client, b); n != 10 {
			t.Errorf("with a lower value refused after %d", n)
		}
		if err := l.Take(TenantEvents, &client, a, 1); err == nil {
			t.Error("a higher value fills the bucket at once")
		}
		time.Sleep(time.Second)
		if n, _ := refusedAfter(l, TenantEvents, &client, a); n != 1000 {
			t.Errorf("with a higher value refused after %d", n)
		}
		if n, _ := refusedAfter(l, AddressConnects, &client, a); n != 500 {
			t.Errorf("a tenant changes a limit of addresses: %d", n)
		}
		time.Sleep(10 * time.Second)
		token := By{Address: client.Address, Issuer: "i", Subject: "s", Lower: Values{TenantEvents: 5, SubjectConnections: 2, DashboardViewers: 100}}
		other := token
		other.Subject = "t"
		if n, err := refusedAfter(l, TenantEvents, &token, a); n != 5 || !strings.Contains(err.Message, "this token") {
			t.Errorf("the token is refused after %d: %v", n, err)
		}
		if n, _ := refusedAfter(l, TenantEvents, &other, a); n != 5 {
			t.Errorf("the other token is refused after %d", n)
		}
		if n, _ := refusedAfter(l, TenantEvents, &client, a); n != 990 {
			t.Errorf("the rest of the tenant is refused after %d", n)
		}
		l.Override(Tenants{"a": {TenantEvents: 1}})
		if n, _ := refusedAfter(l, TenantEvents, &client, a); n > 1 {
			t.Errorf("lowered to 1, it is refused after %d", n)
		}
	})
}

// TestCaps: a number that is held is bounded for each of its scope, and forgotten when it is given
// back.
func TestCaps(t *testing.T) {
	l := newLimits(t, Config{Values: Values{SubjectConnections: 4, TenantSessions: 3, DashboardViewers: 0}})
	token := By{Issuer: "i", Subject: "s", Lower: Values{SubjectConnections: 2}}
	for _, c := range []struct {
		limit Limit
		by    *By
		want  int
	}{{SubjectConnections, &client, 4}, {SubjectConnections, &token, 2}, {TenantSessions, &client, 3}, {DashboardViewers, &client, 0}} {
		k := Key{"a", "d"}
		n := 0
		for l.Hold(c.limit, c.by, k, 1) == nil {
			n++
		}
		if n != c.want {
			t.Errorf("%s: %d are held, want %d", c.limit, n, c.want)
		}
		for range n {
			l.Release(c.limit, c.by, k, 1)
		}
	}
	if len(l.held) != 0 {
		t.Errorf("%d are held after all were given back", len(l.held))
	}
}

// TestMemory: only a process that uses nearly all of its memory is full.
func TestMemory(t *testing.T) {
	used := float64(newLimits(t, Config{}).memory.Used())
	for value, full := range map[float64]bool{None: false, 100 * used: false, used: true, 1: true} {
		l := newLimits(t, Config{Values: Values{ProcessMemory: value}})
		if err := l.Memory(); (err != nil) != full {
			t.Errorf("%.0f of %.0f bytes are used: %v", used, value, err)
		}
	}
	if used < 1<<20 || used > 1<<30 {
		t.Errorf("%.0f bytes are used", used)
	}
}

// TestLocal: the defaults of addresses don't apply to this machine, a value that is given does.
func TestLocal(t *testing.T) {
	here := By{Address: netip.MustParseAddr("127.0.0.1"), Local: true}
	if n, _ := refusedAfter(newLimits(t, Config{}), AddressConnects, &here, Key{}); n != 10_000 {
		t.Errorf("by default refused after %d", n)
	}
	if n, _ := refusedAfter(newLimits(t, Config{Values: Values{AddressConnects: 0.2}}), AddressConnects, &here, Key{}); n != 2 {
		t.Errorf("with a value refused after %d", n)
	}
}

// TestBucketsAreBounded: random names don't fill the memory, and who is over its limit is still
// known among them.
func TestBucketsAreBounded(t *testing.T) {
	const most = 1000
	r := prometheus.NewRegistry()
	l := newLimits(t, Config{Buckets: most, Registerer: r})
	busy := Key{Tenant: "default", Dashboard: "busy"}
	for i := range 50 * most {
		l.Charge(DashboardEvents, &client, Key{Tenant: "default", Dashboard: fmt.Sprint("random-", i)}, 1)
		if i%10 == 0 {
			l.Charge(DashboardEvents, &client, busy, 1000)
		}
	}
	l.buckets.CleanUp()
	if n := l.buckets.EstimatedSize(); n > most {
		t.Errorf("%d buckets are in memory, at most %d are allowed", n, most)
	}
	if l.Check(DashboardEvents, &client, busy, 1) == nil {
		t.Error("the busy dashboard's bucket was replaced by those of random names")
	}
	if err := testutil.GatherAndCompare(r, strings.NewReader(""), "none"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(r, "dashfeed_limited_total", "dashfeed_limit"); err != nil || n != 2*int(count) {
		t.Errorf("%d metrics, %v", n, err)
	}
}

// TestCheckMakesNoBucket: what is refused or only asked for leaves nothing behind.
func TestCheckMakesNoBucket(t *testing.T) {
	l := newLimits(t, Config{Values: Values{TenantEvents: 0}})
	for i := range 100 {
		k := Key{Tenant: fmt.Sprint(i)}
		if err := l.Take(TenantEvents, &client, k, 1); err == nil || err.After < 1000 {
			t.Fatalf("%v", err)
		}
		_ = l.Check(TenantBytes, &client, k, 1)
	}
	if n := l.buckets.EstimatedSize(); n != 0 {
		t.Errorf("%d buckets", n)
	}
}

// BenchmarkPost measures what limits add to a POST of 20 events to one dashboard.
func BenchmarkPost(b *testing.B) {
	l := newLimits(b, Config{Values: Values{TenantEvents: 1e9, TenantBytes: 1e12, DashboardEvents: 1e9}})
	l.Override(Tenants{"default": {TenantEvents: 1e9}})
	k := Key{Tenant: "default", Dashboard: "checkout"}
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Check(TenantEvents, &client, k, 1)
		_ = l.Check(TenantBytes, &client, k, 1)
		_ = l.Check(TenantEvents, &client, k, 20)
		_ = l.Check(TenantBytes, &client, k, 3000)
		_ = l.Check(DashboardEvents, &client, k, 20)
		l.Charge(TenantEvents, &client, k, 20)
		l.Charge(TenantBytes, &client, k, 3000)
		l.Charge(DashboardEvents, &client, k, 20)
	}
}
