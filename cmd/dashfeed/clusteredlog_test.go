package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// producer opens the broker's log as a producer of ours that is no member of a cluster.
func producer(t *testing.T, broker *pulsartest.Cluster) *pulsar.Log {
	t.Helper()
	c := pulsar.Default(broker.BrokerURL, broker.AdminURL)
	c.Cluster, c.CheckEvery, c.Security.Token, c.Logger = "producer", 0, broker.Token("admin"), slog.New(slog.DiscardHandler)
	c.Keys = pulsartest.Keys()
	log, err := pulsar.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

// put stores n events of the tenant's dashboard d, each with the value 1 and the given time; 0:
// none.
func put(t *testing.T, log *pulsar.Log, tenant string, n int, ms int64) {
	t.Helper()
	payload := `{"dashboard":"d","metric":"m","value":1}`
	if ms != 0 {
		payload = fmt.Sprintf(`{"dashboard":"d","metric":"m","value":1,"time":%d}`, ms)
	}
	var entries []eventlog.Entry
	for range n {
		entries = append(entries, eventlog.Entry{Kind: messages.KindEvent, Key: messages.Key{Tenant: tenant, Dashboard: "d"}, Payload: []byte(payload)})
	}
	if _, err := log.Append(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

// reading holds the fields of GET /v1/dashboards/d that the tests check.
type reading struct {
	Epoch    string
	To       int
	Counters struct{ Records, Accepted, Future int }
	Cells    [][]any
}

// untilRead waits until a door returns the wanted state of the tenant's dashboard d.
func untilRead(t *testing.T, door, tenant string, wanted func(r reading) bool) (r reading) {
	t.Helper()
	said := ""
	// real time: the broker is real
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get(door + "/v1/dashboards/d?tenant=" + tenant)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		said, r = string(b), reading{}
		if answer.StatusCode == http.StatusOK && json.Unmarshal(b, &r) == nil && wanted(r) {
			return r
		}
	}
	t.Fatalf("dashboard d of %s is not as it should be: %s", tenant, said)
	return r
}

// testTicks: if ticks move a tenant's log time, events are folded from the first one on, and only
// ticks make windows final. Neither the broker's clock nor the time of an event moves them.
func testTicks(t *testing.T, broker *pulsartest.Cluster, on []string) {
	file := write(t, "d.yaml", "tenant: slow\ndashboard: d\npanels: [{id: p, window: {tumbling: 1s}, aggregates: [count]}]\n")
	node := start(t, io.Discard, append([]string{
		"node", "--gateway", "--node", "one", "--cluster", "ticks", "--gossip", free(t), "--link", "127.0.0.1:0", "--cluster-key", clusterKey(t),
		"--scratch", t.TempDir(), "--tenants", "slow=1:ticks", "--definitions", file,
	}, on...)...)
	until(t, node.admin, "definitions: ok\n")
	log := producer(t, broker)
	shard, _, err := log.Tenant("slow")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	looking := make(chan int, 1) // a window is closed for a dashboard that somebody looks at
	go func() {
		looking <- run(ctx, []string{"watch", "d", "--wait", "--tenant", "slow", "--server", node.public, "-o", "json"}, strings.NewReader(""), io.Discard, io.Discard)
	}()
	defer func() { cancel(); <-looking }()
	put(t, log, "slow", 10, time.Now().UnixMilli())
	put(t, log, "slow", 1, time.Now().Add(10*time.Hour).UnixMilli())
	r := untilRead(t, node.public, "slow", func(r reading) bool {
		// its revision: final
		return r.Counters.Accepted+r.Counters.Future == 11 && len(r.Cells) > 0 && r.Cells[0][5].(float64) > 0
	})
	if r.Counters.Accepted != 10 || r.Counters.Future != 1 || len(r.Cells) != 1 || fmt.Sprint(r.Cells[0][6]) != "[10]" {
		t.Errorf("read %+v", r)
	}

	// Only ticks have moved log time: nothing else in the partition has a time.
	from, err := log.Read(shard, messages.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	kinds := map[messages.Kind]int{}
	for n := 0; n < 12 || kinds[messages.KindTick] < 2; n++ {
		records, err := from.Next(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		kind, stamped := records[0].Kind, records[0].Append != messages.Unstamped
		if kinds[kind]++; n == 0 && kind != messages.KindTick || stamped != (kind == messages.KindTick) {
			t.Errorf("record %d is a %s, its time is %d", n, kind, records[0].Append)
		}
	}
	if code := node.stop(t); code != 0 {
		t.Errorf("stop: exit %d: %s", code, node.stderr)
	}
}
