package chaos_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/network"
	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/trial"
)

// hubVariable names the network for the copy of the test that runs in the hub.
const hubVariable = "CHAOS_HUB"

var machines = []string{"pulsar", "node-1", "node-2", "node-3"}

// TestCut cuts three nodes on machines of their own off from each other for 5 s, and then cuts one
// of them off from the broker. Each cut heals by itself: within 15 s every shard has one owner
// again. go run ./bench cut does the same for 20 and 75 s. The test runs itself again inside the
// network's hub, so that it adds no address outside.
func TestCut(t *testing.T) {
	if prefix := os.Getenv(hubVariable); prefix != "" {
		cutInside(t, network.Of(prefix, machines...))
		return
	}
	n, err := network.New(machines...)
	must(t, err)
	defer n.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	line := append(n.Exec(network.Hub), os.Args[0], "-test.run", "^TestCut$", "-test.v")
	inner := exec.CommandContext(ctx, line[0], line[1:]...)
	inner.Env = append(os.Environ(), hubVariable+"="+n.Prefix())
	out, err := inner.CombinedOutput()
	t.Logf("inside:\n%s", out)
	if err != nil {
		t.Error(err)
	}
	must(t, n.Close())
}

func cutInside(t *testing.T, n *network.Network) {
	c := startTrial(t, trial.Config{
		Cluster: trial.On(n, process.ClusterConfig{Nodes: 3, Gateways: 1}), Definition: boardDefinition, Dashboards: 30, Rate: 400, Record: true,
	})
	for _, pair := range [][2]string{{"node-1", "node-2"}, {"node-3", "pulsar"}} {
		cut, err := c.Cut(t.Context(), n, pair[0], pair[1], 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s and %s were cut off for 5 s: %s", pair[0], pair[1], cut)
		if cut.Healed > 15*time.Second {
			t.Errorf("it took %s until every shard had one owner, want at most 15 s", cut.Healed)
		}
	}
	verdict, err := c.Judge(t.Context())
	must(t, err)
	t.Log(verdict)
	for _, problem := range verdict.Problems {
		t.Error(problem)
	}
}
