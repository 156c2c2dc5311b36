package chaos_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

func ready(t *testing.T, p *process.Process) {
	t.Helper()
	deadline := time.Now().Add(says)
	for !p.Ready() {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready: %s", p.Name, p.Health())
		}
		time.Sleep(50 * time.Millisecond) // real time: it is a real process
	}
}

// open opens the log as a producer of Dashfeed does.
func (b *badCluster) open(t *testing.T) *pulsar.Log {
	t.Helper()
	c := pulsar.Default(b.broker.BrokerURL, b.broker.AdminURL)
	c.Cluster, c.CheckEvery, c.Security.Token, c.Keys = "producer", 0, b.broker.Token("admin"), pulsartest.Keys()
	log, err := pulsar.Open(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { log.Close() })
	return log
}

// append stores n events of the tenant's dashboard d.
func (b *badCluster) append(t *testing.T, log *pulsar.Log, tenant string, n int) {
	t.Helper()
	var entries []eventlog.Entry
	for range n {
		entries = append(entries, eventlog.Entry{
			Kind: messages.KindEvent, Key: messages.Key{Tenant: tenant, Dashboard: "d"}, Payload: []byte(`{"dashboard":"d","metric":"m","value":1}`),
		})
	}
	_, err := log.Append(t.Context(), entries)
	must(t, err)
}

// counts waits until the tenant's dashboard d has the wanted number of records.
func (b *badCluster) counts(t *testing.T, p *process.Process, tenant string, want float64) {
	t.Helper()
	var last answer
	// real time: it is a real process
	for deadline := time.Now().Add(says); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var err error
		if last, err = try(t.Context(), http.MethodGet, p.URL+"/v1/dashboards/d?tenant="+tenant, nil); err == nil && last.field("counters.records") == want {
			return
		}
	}
	t.Fatalf("%s: the dashboard of tenant %s should count %v: %s; readyz: %s", p.Name, tenant, want, last, p.Health())
}

func (b *badCluster) admin(t *testing.T, method, path, body string) string {
	t.Helper()
	said, err := b.broker.Admin(method, path, body)
	must(t, err)
	return said
}

// trim makes the broker delete records of a tenant with one partition that are in no checkpoint:
// all but the last record.
func (b *badCluster) trim(t *testing.T, log *pulsar.Log, tenant string) {
	t.Helper()
	topic := "persistent/" + tenant + "/dashfeed/events-partition-0"
	b.append(t, log, tenant, 10)
	b.admin(t, "PUT", topic+"/unload", "")
	b.append(t, log, tenant, 1) // this record gets a ledger of its own
	b.admin(t, "POST", "namespaces/"+tenant+"/dashfeed/retention", `{"retentionTimeInMinutes":0,"retentionSizeInMB":0}`)
	b.admin(t, "DELETE", topic+"/subscription/"+pulsar.GuardName("topics")+"?force=true", "")
	// real time: the broker chooses when it trims
	for deadline := time.Now().Add(says); ; time.Sleep(200 * time.Millisecond) {
		b.admin(t, "POST", topic+"/trim", "")
		var stats struct{ Ledgers []any }
		must(t, json.Unmarshal([]byte(b.admin(t, "GET", topic+"/internalStats", "")), &stats))
		if len(stats.Ledgers) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the broker has not deleted the ledgers that nobody needs: %s", b.admin(t, "GET", topic+"/internalStats", ""))
		}
	}
}
