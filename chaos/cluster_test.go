package chaos_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/trial"
	"github.com/dashfeed/dashfeed/chaos/viewer"
)

const (
	// a loaded machine detects a crash late; go run ./bench kills measures how fast it detects one
	recovers = 60 * time.Second
	paused   = 10 * time.Second
)

// TestCluster puts three nodes and two gateways on a real Pulsar under load. Gateways and foreign
// producers write; the latter write to other partitions too. The test kills an owner, freezes an
// owner until the others take over and resumes it, drains a node and a gateway, and kills the
// broker. After each step all viewers get updates and every shard has one owner. At the end the
// log, folded again, agrees with every version that a viewer was shown, every cell and every count.
func TestCluster(t *testing.T) {
	c := startTrial(t, trial.Config{
		Cluster:    process.ClusterConfig{Nodes: 3, Gateways: 2, Args: []string{"--checkpoint", "2s"}},
		Definition: boardDefinition, Dashboards: 60, Rate: 1000, Foreign: 300, Record: true,
	})
	for _, step := range []struct {
		name string
		run  func(*testing.T, *trial.Trial)
	}{
		{"owner killed", killOwner},
		{"node frozen", freezeNode},
		{"node drained", drainNode},
		{"gateway drained", drainGateway},
		{"broker killed", killBroker},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, c) }) {
			break
		}
	}
	verdict, err := c.Judge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(verdict)
	for _, problem := range verdict.Problems {
		t.Error(problem)
	}
	if verdict.Compared < 1000 {
		t.Errorf("only %d versions were compared: the viewers saw too few updates", verdict.Compared)
	}
}

// startTrial starts a cluster that ends with the test, and prints the cluster's logs if the test
// fails.
func startTrial(t *testing.T, c trial.Config) *trial.Trial {
	t.Helper()
	c.Cluster.Binary, c.Cluster.Dir = binary, t.TempDir()
	s, err := trial.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.Cluster.Logs(os.Stderr, 40)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	settled(t, s)
	moved(t, s)
	return s
}

// moved fails the test if a viewer of a dashboard gets no more updates.
func moved(t *testing.T, c *trial.Trial) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), recovers)
	defer cancel()
	if err := c.Moved(ctx); err != nil {
		t.Fatalf("viewers get no updates: %v", err)
	}
	var longest trial.Pause
	for _, p := range c.Pauses() {
		if p.Length > longest.Length {
			longest = p
		}
	}
	t.Logf("the longest pause: %s of %s", longest.Length.Round(time.Millisecond), longest.Dashboard)
}

// settled fails the test unless every shard gets exactly one owner.
func settled(t *testing.T, c *trial.Trial) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), recovers)
	defer cancel()
	began := time.Now()
	if err := c.Settled(ctx); err != nil {
		t.Fatalf("a shard has no owner or several: %v", err)
	}
	t.Logf("every shard had one owner after %s", time.Since(began).Round(time.Millisecond))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func owner(t *testing.T, c *trial.Trial) *process.Process {
	t.Helper()
	node, shards, err := c.OwnerOf(t.Context())
	must(t, err)
	t.Logf("%s serves %d shards", node.Name, len(shards))
	return node
}

func killOwner(t *testing.T, c *trial.Trial) {
	node := owner(t, c)
	must(t, node.Kill())
	c.Begin()
	moved(t, c)
	settled(t, c) // among the two nodes that are left
	must(t, node.Start(t.Context()))
	settled(t, c)
	c.Begin()
	moved(t, c)
}

// freezeNode stops a node the way full swap does: its connections stay open. Other nodes take over;
// then the node resumes and does not know that time has passed.
func freezeNode(t *testing.T, c *trial.Trial) {
	node := owner(t, c)
	must(t, node.Pause())
	began := time.Now()
	c.Begin()
	moved(t, c)
	time.Sleep(paused - time.Since(began)) // real time: it is a real process
	must(t, node.Resume())
	settled(t, c)
	c.Begin()
	moved(t, c)
}

func drainNode(t *testing.T, c *trial.Trial) {
	node := owner(t, c)
	c.Begin()
	drain(t, c, node)
	moved(t, c)
	settled(t, c)
	must(t, node.Start(t.Context()))
	settled(t, c)
	c.Begin()
	moved(t, c)
}

func drainGateway(t *testing.T, c *trial.Trial) {
	gateway := watchedGateway(t, c)
	losses, drains, gaps := sumCounts(c)
	c.Begin()
	drain(t, c, gateway)
	c.Begin()
	moved(t, c)
	nowLosses, nowDrains, nowGaps := sumCounts(c)
	// A viewer on a busy machine gets updates before it has heard of every dashboard, which ends its
	// move; real time: it is a real process.
	for began := time.Now(); nowDrains == drains && nowLosses == losses && time.Since(began) < paused; {
		time.Sleep(50 * time.Millisecond)
		nowLosses, nowDrains, nowGaps = sumCounts(c)
	}
	if nowDrains == drains || nowLosses != losses || nowGaps != gaps {
		t.Errorf("%d connections were handed over, %d were lost, %d gaps: want some, none and none",
			nowDrains-drains, nowLosses-losses, nowGaps-gaps)
		for _, v := range c.Viewers {
			t.Logf("the last loss: %s", v.Counts().LastLoss)
		}
	}
	must(t, gateway.Start(t.Context()))
	settled(t, c)
}

// watchedGateway returns the first gateway that a viewer is connected to. A viewer that has lost
// its connection has moved to the next gateway.
func watchedGateway(t *testing.T, c *trial.Trial) *process.Process {
	t.Helper()
	for _, g := range c.Cluster.Gateways {
		if slices.ContainsFunc(c.Viewers, func(v *viewer.Viewer) bool { return v.Gateway() == g.URL }) {
			return g
		}
	}
	t.Fatal("no viewer is at any gateway")
	return nil
}

// sumCounts sums the counts of all viewers.
func sumCounts(c *trial.Trial) (losses, drains, gaps int) {
	for _, v := range c.Viewers {
		n := v.Counts()
		losses += n.Losses
		drains += n.Drains
		for _, g := range n.Gaps {
			gaps += g
		}
	}
	return losses, drains, gaps
}

// drain drains a member with the command, and stops the member when it is empty.
func drain(t *testing.T, c *trial.Trial, member *process.Process) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "cluster", "drain", member.Name, "--admin-server", c.Asked(member).Admin).CombinedOutput()
	if err != nil {
		t.Fatalf("cluster drain %s: %v: %s", member.Name, err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), recovers)
	defer cancel()
	must(t, c.Emptied(ctx, member))
	must(t, member.Stop())
}

func killBroker(t *testing.T, c *trial.Trial) {
	killed := time.Now()
	must(t, c.Cluster.Pulsar.Kill(t.Context()))
	c.Begin()
	ctx, cancel := context.WithTimeout(t.Context(), recovers)
	defer cancel()
	if err := c.Stale(ctx); err != nil {
		t.Errorf("the broker is down, and viewers are not told that their dashboards are stale: %v", err)
	}
	t.Logf("all viewers were told after %s", time.Since(killed).Round(time.Millisecond))
	// wait until no node claims a shard; real time: these are real processes
	time.Sleep(8*time.Second - time.Since(killed))
	for _, url := range c.Cluster.URLs() {
		a, err := try(t.Context(), http.MethodGet, url+"/v1/dashboards/"+c.Names[0], nil)
		if err != nil || a.status != http.StatusOK || a.field("state") != "stale" {
			t.Errorf("without a broker %s should show its last state, marked stale: %v, %s", url, err, a)
		}
	}
	must(t, c.Cluster.Pulsar.Start(t.Context()))
	began := time.Now()
	c.Begin()
	moved(t, c)
	t.Logf("all viewers get updates %s after the broker's start", time.Since(began).Round(time.Millisecond))
	settled(t, c)
}
