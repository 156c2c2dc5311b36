package pulsar

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/checkpointtest"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
)

func TestMain(m *testing.M) { os.Exit(pulsartest.Main(m)) }

// site is a checkpoint topic of a test's own.
type site struct {
	cluster   *pulsartest.Cluster
	namespace string // tenant/namespace
	topic     string
	scratch   string
}

var sites atomic.Int64

// newSite makes a namespace and a topic with that many partitions on the cluster.
func newSite(t testing.TB, c *pulsartest.Cluster, partitions int) *site {
	t.Helper()
	s := &site{cluster: c, namespace: fmt.Sprintf("checkpoints/test-%d-%d", os.Getpid(), sites.Add(1)), scratch: t.TempDir()}
	s.topic = "persistent://" + s.namespace + "/checkpoints"
	s.admin(t, "PUT", "tenants/checkpoints", `{"allowedClusters":["`+c.Name+`"]}`)
	s.admin(t, "PUT", "namespaces/"+s.namespace, `{}`)
	s.admin(t, "PUT", "persistent/"+s.namespace+"/checkpoints/partitions", fmt.Sprint(partitions))
	return s
}

func (s *site) admin(t testing.TB, method, path, body string) string {
	t.Helper()
	answer, err := s.cluster.Admin(method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (s *site) partition(shard int) (string, error) {
	return fmt.Sprintf("%s-partition-%d", s.topic, shard), nil
}

func (s *site) config(node string) Config {
	return Config{
		BrokerURL: s.cluster.BrokerURL, AdminURL: s.cluster.AdminURL, Cluster: "test", Node: node, Guard: "guard",
		Topic: s.partition, Shared: shared.Default(filepath.Join(s.scratch, node)), TakeWait: 500 * time.Millisecond, Logger: slog.Default(),
	}
}

func (s *site) open(t testing.TB, c Config) *shared.Store {
	t.Helper()
	store, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// place returns the site as a place, without a scratch store.
func (s *site) place(t testing.TB) *place {
	t.Helper()
	c := s.config("observer").withDefaults()
	p := &place{config: c, readers: make(chan struct{}, atOnce)}
	var errs [3]error
	p.admin.Admin, errs[0] = broker.NewAdmin(c.AdminURL, c.Security, c.Timeout)
	p.producing, errs[1] = newClient(c)
	p.reading, errs[2] = newClient(c)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// send writes a message that no leader would.
func (s *site) send(t testing.TB, shard int, key string, payload []byte) {
	t.Helper()
	topic, _ := s.partition(shard)
	producer, err := s.place(t).take(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if _, err := producer.Send(t.Context(), &pulsar.ProducerMessage{Key: key, Payload: payload}); err != nil {
		t.Fatal(err)
	}
}

// contents returns what a shard's partition holds.
func (s *site) contents(t testing.TB, shard int) *contents {
	t.Helper()
	c, err := newContents()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	topic, _ := s.partition(shard)
	if err := s.place(t).read(t.Context(), topic, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// damage writes a wrong payload under the key of an entry of the newest checkpoint.
func (s *site) damage(t *testing.T, shard int) {
	t.Helper()
	slot, err := s.contents(t, shard).newest()
	if slot == none {
		t.Fatalf("nothing to damage: %v", err)
	}
	s.send(t, shard, fmt.Sprintf("default/x/%d", slot), []byte("nonsense"))
}

func TestShared(t *testing.T) { checkpointtest.RunShared(t, nodes(pulsartest.Shared(t))) }

func TestRandom(t *testing.T) { checkpointtest.RunRandom(t, nodes(pulsartest.Shared(t)), 4) }

func nodes(c *pulsartest.Cluster) checkpointtest.Nodes {
	return checkpointtest.Nodes{Place: func(t *testing.T) checkpointtest.Place {
		s := newSite(t, c, 3)
		return checkpointtest.Place{
			Start:  func(t *testing.T, node string) checkpoint.Store { return s.open(t, s.config(node)) },
			Damage: s.damage,
		}
	}}
}
