package chaos_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/traffic"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
)

// says bounds how long a process may take to report what is wrong.
const says = 60 * time.Second

// TestBadCluster gives nodes input that they can't work with, and damages the topics of four of
// five tenants while the node is stopped. In each case readyz names the fault and the remedy, the
// undamaged tenants go on, and no acknowledged event is missing.
func TestBadCluster(t *testing.T) {
	t.Parallel()
	broker := pulsartest.Start(t, pulsartest.Options{Tokens: true})
	b := &badCluster{broker: broker, dir: t.TempDir()}
	t.Run("addresses and tokens", b.wrongAddresses)
	t.Run("gossip keys", b.wrongKeys)
	t.Run("topics", b.wrongTopics)
	t.Run("two clusters with one name", b.twins)
	t.Run("full store", b.fullStore)
}

type badCluster struct {
	broker *pulsartest.Cluster
	dir    string
}

// node launches a node that ends with the test; the node may never become ready. Flags in args win.
func (b *badCluster) node(t *testing.T, cluster, name string, args ...string) *process.Process {
	t.Helper()
	log := &logBuffer{}
	scratch, key := filepath.Join(b.dir, cluster+"-"+name), filepath.Join(b.dir, "cluster.key")
	must(t, os.WriteFile(key, []byte(base64.StdEncoding.EncodeToString(pulsartest.Keys()[0])), 0o600))
	p, err := process.New(process.Config{
		Binary: binary, Name: name, Command: "node", Log: log,
		Args: append([]string{
			"--gateway", "--cluster", cluster, "--node", name, "--gossip", "127.0.0.1:0", "--link", "127.0.0.1:0", "--gossip-preset", "local",
			"--pulsar", b.broker.BrokerURL, "--pulsar-admin", b.broker.AdminURL, "--pulsar-token", b.broker.Token("admin"),
			"--scratch", scratch, "--checkpoint", "500ms", "--cluster-key", key,
		}, args...),
	})
	must(t, err)
	must(t, p.Launch())
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, log)
		}
	})
	return p
}

// expect waits until the readyz line of the part contains all words.
func expect(t *testing.T, p *process.Process, part string, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), says)
	defer cancel()
	missing := ""
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		said := p.Health()
		missing = ""
		for line := range strings.SplitSeq(said, " | ") {
			if strings.HasPrefix(line, part+": ") {
				said = line
			}
		}
		if !strings.HasPrefix(said, part+": ") {
			missing = part + ": "
		}
		for _, w := range words {
			if !strings.Contains(p.Health(), w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("readyz of %s does not say %q in its line %q: %s", p.Name, missing, part, p.Health())
		}
	}
}

func (b *badCluster) wrongAddresses(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		part string
		says []string
	}{
		{"broker", []string{"--pulsar", "pulsar://127.0.0.1:1"}, "log", []string{"127.0.0.1:1", "is the broker up"}},
		{"admin", []string{"--pulsar-admin", "http://127.0.0.1:1"}, "log", []string{"127.0.0.1:1", "admin API", "is its URL right"}},
		{"token", []string{"--pulsar-token", "no.such.token"}, "log", []string{"token"}},
		{"no-token", []string{"--pulsar-token", ""}, "log", []string{"token"}},
	} {
		p := b.node(t, "gateways", c.name, c.args...)
		expect(t, p, c.part, c.says...)
		if p.Ready() {
			t.Errorf("%s: the node is ready, which it must not be", c.name)
		}
		t.Logf("%s: %s", c.name, p.Health())
		p.Kill()
	}
}

// wrongKeys lets a node join another one with a gossip key that the other one does not have.
func (b *badCluster) wrongKeys(t *testing.T) {
	var files []string
	for i := range 2 {
		out, err := exec.CommandContext(t.Context(), binary, "cluster", "keys", "new").Output()
		must(t, err)
		file := filepath.Join(t.TempDir(), fmt.Sprint("key-", i))
		must(t, os.WriteFile(file, out, 0o600))
		files = append(files, file)
	}
	gossip, err := process.FreeAddress()
	must(t, err)
	p := b.node(t, "keys", "one", "--gossip-key", files[0], "--gossip", gossip)
	expect(t, p, "cluster", "cluster: ok")
	q := b.node(t, "keys", "other", "--gossip-key", files[1], "--join", gossip)
	expect(t, q, "cluster", "gossip keys differ", "give all members the same keys")
	t.Log(q.Health())
}

// wrongTopics damages the topics of four of five tenants while the node is stopped.
func (b *badCluster) wrongTopics(t *testing.T) {
	tenants := "--tenants=fine=2,missing=2,grown=2,mortal=2,trimmed=1,bare=1"
	p := b.node(t, "topics", "one", tenants)
	ready(t, p)
	log := b.open(t)
	b.append(t, log, "fine", 100)
	b.append(t, log, "grown", 30)
	b.append(t, log, "trimmed", 50)
	b.append(t, log, "bare", 70)
	b.counts(t, p, "fine", 100)
	b.counts(t, p, "trimmed", 50)
	b.counts(t, p, "bare", 70)
	must(t, p.Stop())

	b.admin(t, "DELETE", "persistent/missing/dashfeed/events/partitions?force=true", "")
	b.admin(t, "POST", "persistent/grown/dashfeed/events/partitions", "3")
	b.admin(t, "POST", "namespaces/mortal/dashfeed/messageTTL", "60")
	b.admin(t, "DELETE", "persistent/bare/dashfeed-state/checkpoints/partitions?force=true", "")
	b.trim(t, log, "trimmed")

	must(t, p.Launch())
	expect(t, p, "log",
		"missing/dashfeed/events", "it is missing", "create-partitioned-topic -p 2",
		"grown/dashfeed/events", "it has 3 partitions, the tenant was made with 2: what is produced to the others is forwarded to its home",
		"mortal/dashfeed/events", "messages live 60 s", "set-message-ttl -ttl 0 mortal/dashfeed")
	expect(t, p, "shards", "stopped at", "accept the loss",
		"bare/dashfeed-state/checkpoints-partition-0: the topic is missing", "create-partitioned-topic -p N persistent://bare/dashfeed-state/checkpoints")
	b.counts(t, p, "fine", 100) // the undamaged tenant goes on
	b.append(t, log, "fine", 20)
	b.counts(t, p, "fine", 120)
	b.counts(t, p, "grown", 30)
	producer := traffic.Numbered{
		Broker: b.broker.BrokerURL, Token: b.broker.Token("admin"), Topic: pulsar.PartitionTopic(pulsar.EventsTopic("grown"), 2), Dashboards: []string{"d"}, Rate: 500,
	}
	sent, err := producer.Run(t.Context(), time.Second)
	must(t, err)
	// all events, though their partition is the home of no dashboard
	b.counts(t, p, "grown", float64(30+sent))

	// the command that readyz names
	b.admin(t, "PUT", "persistent/bare/dashfeed-state/checkpoints/partitions", "1")
	// the shard's log still has all records, so the shard folds them again
	b.counts(t, p, "bare", 70)

	var shards []struct {
		Shard  int
		Tenant string
	}
	get(t, p.Admin+"/cluster/shards", &shards)
	for _, s := range shards {
		if s.Tenant != "trimmed" {
			continue
		}
		out, err := exec.CommandContext(t.Context(), binary, "shard", "accept-loss", "--yes", fmt.Sprint(s.Shard), "--admin-server", p.Admin).CombinedOutput()
		if err != nil {
			t.Errorf("accept-loss: %v: %s", err, out)
		}
		b.append(t, log, "trimmed", 5)
		// the count of the checkpoint, the last record that was kept, and the records since then
		b.counts(t, p, "trimmed", 50+1+5)
	}
	must(t, p.Stop())
}

// twins starts a second cluster with the name of the first one. The second knows nothing of the
// first.
func (b *badCluster) twins(t *testing.T) {
	one := b.node(t, "twins", "one", "--tenants=twins=1")
	expect(t, one, "cluster", "cluster: ok")
	expect(t, one, "checkpoints", "checkpoints: ok")
	other := b.node(t, "twins", "other", "--tenants=twins=1")
	log := b.open(t)
	b.append(t, log, "twins", 30)
	b.counts(t, one, "twins", 30) // both fold the same records
	b.counts(t, other, "twins", 30)
	// The first cluster to publish leads the checkpoints; the second one finds out when it has
	// something new to publish itself.
	refused := func() *process.Process {
		for _, p := range []*process.Process{one, other} {
			if strings.Contains(p.Health(), "another process writes") {
				return p
			}
		}
		return nil
	}
	// real time: these are real processes
	for deadline := time.Now().Add(says); refused() == nil && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		b.append(t, log, "twins", 1)
	}
	told, holder := other, "one"
	if refused() == one {
		told, holder = one, "other"
	}
	expect(t, told, "checkpoints", "another process writes", "node "+holder+" of a cluster with the name twins leads the shard now", "two clusters have the same name: rename one of them")
}

// fullStore fills the disk that checkpoints are written to; folding must go on.
func (b *badCluster) fullStore(t *testing.T) {
	mount := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", mount).CombinedOutput(); err != nil {
		t.Fatalf("mount a small tmpfs (this test needs root): %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", mount).Run() })
	p := b.node(t, "full", "one", "--tenants=full=1", "--scratch", filepath.Join(mount, "scratch"), "--reserve", "32MiB", "--checkpoints", "file://"+mount+"/shared")
	expect(t, p, "checkpoints", "checkpoints: ok")
	log := b.open(t)
	b.append(t, log, "full", 10)
	b.counts(t, p, "full", 10)
	filler := filepath.Join(mount, "filler")
	if out, err := exec.Command("dd", "if=/dev/zero", "of="+filler, "bs=1M").CombinedOutput(); err == nil {
		t.Fatalf("dd did not fill the disk: %s", out)
	}
	b.append(t, log, "full", 10)
	expect(t, p, "checkpoints", "full", mount)
	b.counts(t, p, "full", 20)
	must(t, os.Remove(filler))
	expect(t, p, "checkpoints", "checkpoints: ok")
}
