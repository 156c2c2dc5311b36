package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
)

func TestNodesFindEachOtherAndShareTheShards(t *testing.T) {
	for _, n := range []int{1, 2} {
		inBubble(t, 16, func(h *testCluster) {
			for i := range 5 {
				h.start(fmt.Sprintf("n%d", i), replicas(n))
			}
			g := h.start("g", gatewayOnly, replicas(n))
			t.Logf("replicas %d: settled after %v", n, h.settle(n, 30*time.Second))
			for shard := range h.shards {
				p, ok := g.Source(shard)
				if !ok {
					t.Fatalf("the gateway follows no node for shard %d", shard)
				}
				if _, owns := h.nodes[p.Node()].folds.has(shard); !owns {
					t.Errorf("the gateway follows %s for shard %d, which does not own it", p.Node(), shard)
				}
				if s := g.Status(shard); s.Serving != Live || s.Source != p || s.Position.Lo != uint64(shard) {
					t.Errorf("status of shard %d is %+v", shard, s)
				}
			}
			for name, node := range h.nodes {
				if err := node.Err(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if m := g.Members(); len(m) != 6 || m[0].Roles != "gateway" || m[1].Node != "n0" || !m[1].Heard {
				t.Errorf("members: %+v", m)
			}
			if s := g.Shards(); len(s) != 16 || len(s[3].Ranking) != 5 || len(s[3].Claims) != n {
				t.Errorf("shards: %+v", s)
			}
		})
	}
}

func TestAKilledNodeIsReplaced(t *testing.T) {
	for _, n := range []int{1, 2} {
		inBubble(t, 16, func(h *testCluster) {
			for i := range 4 {
				h.start(fmt.Sprintf("n%d", i), replicas(n))
			}
			g := h.start("g", gatewayOnly, replicas(n))
			h.settle(n, 30*time.Second)
			h.kill("n2")
			start := time.Now()
			var worst time.Duration
			for time.Since(start) < 5*time.Second {
				changed := g.Changed()
				for shard := range h.shards {
					if g.Status(shard).Serving != Live {
						worst = time.Since(start)
					}
				}
				select {
				case <-changed:
				case <-time.After(10 * time.Millisecond):
				}
			}
			t.Logf("replicas %d: the gateway followed no node for %v (a load takes 300 ms)", n, worst)
			if n == 1 && worst > 900*time.Millisecond || n == 2 && worst > 50*time.Millisecond {
				t.Errorf("replicas %d: no node was followed for %v", n, worst)
			}
			h.settle(n, 20*time.Second)
			h.start("n2", replicas(n))
			h.settle(n, 20*time.Second)
		})
	}
}

func TestACutHeals(t *testing.T) {
	for _, cut := range []time.Duration{5 * time.Second, 20 * time.Second, 75 * time.Second} {
		inBubble(t, 16, func(h *testCluster) {
			for i := range 5 {
				h.start(fmt.Sprintf("n%d", i))
			}
			h.settle(1, 30*time.Second)
			h.network.isolate("n0", "n3")
			time.Sleep(cut)
			if cut > 10*time.Second && len(h.nodes["n0"].Members()) != 2 {
				t.Errorf("isolated, n0 sees %d members", len(h.nodes["n0"].Members()))
			}
			h.network.isolate()
			t.Logf("a cut of %v: settled %v after it", cut, h.settle(1, 15*time.Second))
			time.Sleep(20 * time.Second)
			if w := h.wrong(1); w != "" {
				t.Errorf("20 s later: %s", w)
			}
		})
	}
}

// Nodes that cannot reach their log stop claiming to be live. A gateway keeps following them,
// reports since when they are not live, and switches when another node serves again.
func TestLastSourceIsFollowedWhileNoneIsLive(t *testing.T) {
	inBubble(t, 8, func(h *testCluster) {
		for i := range 3 {
			h.start(fmt.Sprintf("n%d", i))
		}
		g := h.start("g", gatewayOnly)
		h.settle(1, 30*time.Second)
		sources := map[int]link.Peer{}
		for shard := range h.shards {
			sources[shard], _ = g.Source(shard)
		}
		mute := func(on bool) {
			for _, node := range h.nodes {
				node.folds.mu.Lock()
				node.folds.mute = on
				node.folds.took = time.Hour // the others do not finish loading either
				node.folds.mu.Unlock()
			}
			time.Sleep(10 * time.Second)
		}
		mute(true)
		for shard, source := range sources {
			if p, ok := g.Source(shard); !ok || p != source {
				t.Errorf("the gateway follows %v for shard %d, it was %v", p, shard, source)
			}
			if s := g.Status(shard); s.Serving == Live || time.Since(s.Since) < 9*time.Second {
				t.Errorf("status of shard %d is %+v", shard, s)
			}
			if i := g.Shards()[shard]; i.Source != "" {
				t.Errorf("shard %d is reported to be served by %s", shard, i.Source)
			}
		}
		h.kill("n1")
		time.Sleep(time.Second)
		for shard, source := range sources {
			if p, ok := g.Source(shard); ok == (source.Node() == "n1") {
				t.Errorf("the gateway follows %v for shard %d, n1 is dead and %v was followed", p, shard, source)
			}
			if s := g.Status(shard); time.Since(s.Since) < 10*time.Second {
				t.Errorf("shard %d is reported as unheard since %v, of %v", shard, time.Since(s.Since), source)
			}
		}
	})
}

func TestADrainHandsOverFirst(t *testing.T) {
	inBubble(t, 16, func(h *testCluster) {
		for i := range 3 {
			h.start(fmt.Sprintf("n%d", i))
		}
		g := h.start("g", gatewayOnly)
		h.settle(1, 30*time.Second)
		stop, alone := make(chan struct{}), make(chan int, 1)
		go func() {
			bad := 0
			for {
				for shard := range h.shards {
					if g.Status(shard).Serving != Live {
						bad++
					}
				}
				select {
				case <-stop:
					alone <- bad
					return
				case <-time.After(5 * time.Millisecond):
				}
			}
		}()
		start := time.Now()
		if err := h.nodes["n1"].Drain(h.t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("drained after %v", time.Since(start))
		for shard := range h.shards {
			if p, ok := g.Source(shard); !ok || p.Node() == "n1" {
				t.Errorf("the gateway follows %v for shard %d", p, shard)
			}
		}
		h.nodes["n1"].stop()
		delete(h.nodes, "n1")
		time.Sleep(time.Second)
		// A gateway asks the next node to drain.
		if err := g.RequestDrain(h.t.Context(), "n0"); err != nil {
			t.Fatal(err)
		}
		<-h.nodes["n0"].Draining()
		if err := h.nodes["n0"].Drain(h.t.Context()); err != nil {
			t.Fatal(err)
		}
		close(stop)
		if bad := <-alone; bad > 0 {
			t.Errorf("%d times the gateway followed no node", bad)
		}
		if err := g.RequestDrain(h.t.Context(), "n7"); err == nil || !strings.Contains(err.Error(), "no such node") {
			t.Errorf("drain of a node that is not there: %v", err)
		}
		ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
		defer cancel()
		if err := h.nodes["n2"].Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the last node drained: %v", err)
		}
	})
}

// A gateway that sends its sessions away is listed as draining, by itself and by the others, until
// it takes that back; a node is not.
func TestAGatewayReportsThatItDrains(t *testing.T) {
	inBubble(t, 8, func(h *testCluster) {
		h.start("n0")
		h.start("n1", func(c *Config) { c.Roles |= GatewayRole })
		h.start("g", gatewayOnly)
		h.settle(1, 30*time.Second)
		drains := func(node string) (said string) {
			time.Sleep(2 * standardRules().beat)
			for _, at := range []string{"n0", "n1", "g"} {
				for _, m := range h.nodes[at].Members() {
					if m.Node == node && m.Draining {
						said += at + " "
					}
				}
			}
			return said
		}
		h.nodes["g"].SetGatewayDraining(true)
		if said := drains("g"); said != "n0 n1 g " {
			t.Errorf("%q report that g drains", said)
		}
		h.nodes["n1"].SetGatewayDraining(true)
		if said := drains("n1"); said != "" {
			t.Errorf("%q report that n1 drains", said)
		}
		h.nodes["g"].SetGatewayDraining(false)
		if said := drains("g"); said != "" {
			t.Errorf("%q report that g drains after it took that back", said)
		}
	})
}

func TestTheNewestOfTwoStartsStays(t *testing.T) {
	inBubble(t, 8, func(h *testCluster) {
		for i := range 3 {
			h.start(fmt.Sprintf("n%d", i))
		}
		h.settle(1, 30*time.Second)
		old := h.nodes["n1"]
		h.network.isolate("n1") // all others see it as paused
		time.Sleep(20 * time.Second)
		h.network.isolate()
		old.link.self.Address = "elsewhere:1" // its successor runs on another machine
		delete(h.nodes, "n1")
		h.start("n1")
		time.Sleep(10 * time.Second)
		if err := old.Err(); err == nil || !strings.Contains(err.Error(), "a later start of node n1") {
			t.Errorf("the older start says %v", err)
		}
		h.settle(1, 20*time.Second)
		for shard := range h.shards {
			if f, o := old.folds.has(shard); f || o {
				t.Errorf("the older start has shard %d: folds %v, owns %v", shard, f, o)
			}
		}
		h.kill("n1") // now the older one is the only one
		h.nodes["n1"] = old
		time.Sleep(5 * time.Second) // gossip detects the dead one
		h.settle(1, 30*time.Second)
		if err := old.Err(); err != nil {
			t.Errorf("the older start, alone again, says %v", err)
		}
	})
}

func TestForeignGossipIsRefused(t *testing.T) {
	key := func(b byte) *Keys {
		k, err := NewKeys([]byte(strings.Repeat(string(b), 32)))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for name, c := range map[string]struct {
		ours, theirs func(*Config)
		want         error
	}{
		"another key":     {func(c *Config) { c.Keys = key('a') }, func(c *Config) { c.Keys = key('b') }, ErrWrongKey},
		"a key, and none": {func(c *Config) {}, func(c *Config) { c.Keys = key('b') }, ErrWrongKey},
		"none, and a key": {func(c *Config) { c.Keys = key('b') }, func(c *Config) {}, ErrWrongKey},
		"another cluster": {func(c *Config) {}, func(c *Config) { c.Cluster = "other" }, ErrOtherCluster},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 4, func(h *testCluster) {
				h.start("n0", c.ours)
				h.settle(1, 30*time.Second)
				n := h.start("n1", c.theirs)
				time.Sleep(10 * time.Second)
				if err := n.Err(); !errors.Is(err, c.want) {
					t.Errorf("the refused node reports %v, want %v", err, c.want)
				}
				if got := len(h.nodes["n0"].Members()); got != 1 {
					t.Errorf("%d members", got)
				}
				if claims := n.folds.Claims(); len(claims) > 0 {
					t.Errorf("the refused node folds %v", claims)
				}
				if err := h.nodes["n0"].Err(); err != nil {
					t.Errorf("the cluster is affected: %v", err)
				}
			})
		})
	}
}

func TestKeysRotate(t *testing.T) {
	a, b := []byte(strings.Repeat("a", 32)), []byte(strings.Repeat("b", 16))
	inBubble(t, 4, func(h *testCluster) {
		var all []*Keys
		for i := range 3 {
			h.start(fmt.Sprintf("n%d", i), func(c *Config) {
				c.Keys, _ = NewKeys(a)
				all = append(all, c.Keys)
			})
		}
		h.settle(1, 30*time.Second)
		for _, step := range []func(*Keys) error{
			func(k *Keys) error { return k.Add(b) },
			func(k *Keys) error { return k.Use(b) },
			func(k *Keys) error { return k.Remove(a) },
		} {
			for _, k := range all {
				if err := step(k); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
			}
		}
		time.Sleep(20 * time.Second)
		if w := h.wrong(1); w != "" {
			t.Error(w)
		}
		h.start("n3", func(c *Config) { c.Keys, _ = NewKeys(b) })
		h.settle(1, 20*time.Second)
	})
}

func TestANodeWhoseSeedsAreSilentBeginsAlone(t *testing.T) {
	inBubble(t, 4, func(h *testCluster) {
		h.seeds = []string{"10.9.9.9:7946"}
		n := h.start("n0")
		if n.Ready() {
			t.Error("it is ready before it has asked its seeds")
		}
		h.settle(1, 10*time.Second)
		if err := n.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestAGatewayThatHearsNoNodeIsNotFit(t *testing.T) {
	inBubble(t, 4, func(h *testCluster) {
		h.start("n0")
		g := h.start("g", gatewayOnly)
		h.settle(1, 30*time.Second)
		time.Sleep(10 * time.Second)
		if err := g.Err(); err != nil {
			t.Error(err)
		}
		h.network.isolate("g")
		time.Sleep(12 * time.Second)
		if err := g.Err(); err == nil || !strings.Contains(err.Error(), "no node was heard") {
			t.Errorf("it says %v", err)
		}
		if s := g.Status(0); s.Serving != Unheard || time.Since(s.Since) < 9*time.Second {
			t.Errorf("status %+v", s)
		}
	})
}
