package pulsar_test

import (
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/eventlogtest"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

func TestMain(m *testing.M) { os.Exit(pulsartest.Main(m)) }

// open opens the log of a cluster with short timeouts, and closes it with the test.
func open(t testing.TB, c *pulsartest.Cluster, set ...func(*pulsar.Config)) *pulsar.Log {
	t.Helper()
	config := pulsar.Default(c.BrokerURL, c.AdminURL)
	config.Logger, config.Keys = slog.New(slog.NewTextHandler(testWriter{t}, nil)), pulsartest.Keys()
	for _, f := range set {
		f(&config)
	}
	l, err := pulsar.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}

var tenants atomic.Int64

// tenant adds a tenant with a unique name and returns it with its first shard.
func tenant(t testing.TB, l *pulsar.Log, partitions int, logTime pulsar.LogTime) (name string, first int) {
	t.Helper()
	name = fmt.Sprintf("t%d~%d", os.Getpid(), tenants.Add(1))
	if err := l.AddTenant(t.Context(), pulsar.Tenant{Name: name, Partitions: partitions, LogTime: logTime}); err != nil {
		t.Fatal(err)
	}
	first, n, err := l.Tenant(name)
	if err != nil || n != partitions {
		t.Fatalf("tenant %s has %d partitions, %v; want %d", name, n, err, partitions)
	}
	return name, first
}

// forget deletes what the suite's logs have left, topic by topic. If a broker is asked for a
// namespace while that is deleted, it remembers it with other bundles than those of the next
// namespace with that name, and can't delete that one any more.
func forget(t *testing.T, c *pulsartest.Cluster) {
	t.Helper()
	for _, topic := range []string{
		"dashfeed=control/dashfeed/tenants", "default/dashfeed/events/partitions", "default/dashfeed-state/checkpoints/partitions",
	} {
		if _, err := c.Admin("DELETE", "persistent/"+topic+"?force=true", ""); err != nil {
			t.Log(err) // it did not exist
		}
	}
}

func TestSuite(t *testing.T) {
	c := pulsartest.Shared(t)
	eventlogtest.Run(t, eventlogtest.Subject{
		Open: func(t *testing.T) eventlog.Log {
			forget(t, c)
			l := open(t, c)
			if err := l.AddTenant(t.Context(), pulsar.Tenant{Name: messages.DefaultTenant, Partitions: 3}); err != nil {
				t.Fatal(err)
			}
			return l
		},
		Reopen: func(t *testing.T, l eventlog.Log) eventlog.Log {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, c)
		},
	})
}
