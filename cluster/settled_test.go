package cluster

import (
	"strings"
	"testing"
	"time"
)

// A restarted node reports that it has settled when it is live on the shards that it should have,
// not in the seconds before, when the others still keep them. A rolling restart waits for that.
func TestANodeSettlesWithItsShards(t *testing.T) {
	slow := func(c *Config) { c.Shards.(*folds).took = 3 * time.Second }
	for _, folding := range []int{1, 2} {
		inBubble(t, 16, func(h *testCluster) {
			for _, name := range []string{"n0", "n1", "n2"} {
				n := h.start(name, replicas(folding), slow)
				if n.Settled() == nil {
					t.Errorf("%s has settled at once", name)
				}
			}
			h.settle(folding, 60*time.Second)
			for name, n := range h.nodes {
				if err := n.Settled(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			h.kill("n1")
			h.settle(folding, 60*time.Second)
			n := h.start("n1", replicas(folding), slow)
			began := time.Now()
			for n.Settled() != nil {
				if time.Since(began) > time.Minute {
					t.Fatalf("it has not settled: %v", n.Settled())
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Logf("settled after %v", time.Since(began))
			time.Sleep(500 * time.Millisecond) // until all hear its claims
			first := 0
			for _, s := range h.nodes["n0"].Shards() {
				if s.Ranking[0] != "n1" {
					continue
				}
				if first++; s.Source != "n1" {
					t.Errorf("n1 ranks first for shard %d, and %q is followed", s.Shard, s.Source)
				}
			}
			if first == 0 {
				t.Error("n1 ranks first for no shard: the test shows nothing")
			}
		})
	}
}

// A shard that cannot be folded counts as decided too: the node does not wait for it, and the first
// node of a cluster does not wait for others.
func TestAShardThatFailsDoesNotKeepANodeFromSettling(t *testing.T) {
	inBubble(t, 4, func(h *testCluster) {
		n := h.start("n0", func(c *Config) { c.Shards.(*folds).bad = map[int]bool{2: true} })
		time.Sleep(2 * time.Second)
		if err := n.Settled(); err != nil {
			t.Error(err)
		}
		// Its log is out of reach, so it does not have the shards that it should have.
		m := h.start("n1", func(c *Config) { c.Shards.(*folds).mute = true })
		time.Sleep(20 * time.Second)
		if err := m.Settled(); err == nil || !strings.Contains(err.Error(), "not live yet") {
			t.Errorf("with shards that cannot be loaded for now: %v", err)
		}
	})
}
