package cluster

import (
	"testing"
	"time"
)

// clocked starts three nodes and a gateway; the tests restart node n1 repeatedly.
func clocked(h *testCluster) (g *testNode) {
	for _, node := range []string{"n0", "n1", "n2"} {
		h.start(node)
	}
	g = h.start("g", gatewayOnly)
	h.settle(1, 30*time.Second)
	return g
}

// restart kills n1 and starts it at once with its clock ahead of the right time, and waits until
// all others hear it.
func (h *testCluster) restart(ahead time.Duration, moved string) (believed time.Duration) {
	h.t.Helper()
	h.kill("n1")
	h.network.clock["n1"] = ahead
	h.start("n1", func(c *Config) {
		if moved != "" {
			c.Link.(*memLink).self.Address = moved
		}
	})
	began := time.Now()
	for !h.hear(h.nodes["n1"]) {
		if believed = time.Since(began); believed > 10*time.Second {
			h.t.Fatalf("with its clock at %+v the others do not hear it after %v, it says %v", ahead, believed, h.nodes["n1"].Err())
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// hear reports whether all others hear this start of a node.
func (h *testCluster) hear(n *testNode) bool {
	for _, other := range h.nodes {
		heard := other == n
		for _, m := range other.Members() {
			heard = heard || m.Name == n.link.self.Name && m.Heard
		}
		if !heard {
			return false
		}
	}
	return true
}

// A member that restarts is heard within seconds, whatever its clock says, even while gossip still
// considers its last start alive, and the cluster settles as fast as after any restart.
func TestAMemberWithAWrongClockIsHeard(t *testing.T) {
	for _, moved := range []bool{false, true} {
		inBubble(t, 12, func(h *testCluster) {
			clocked(h)
			slow := 0
			for i, ahead := range []time.Duration{-time.Hour, time.Hour, 0, -time.Minute, -2 * time.Minute, 0} {
				address := ""
				if moved {
					address = "n1-" + string(rune('a'+i)) + ":7947"
				}
				believed := h.restart(ahead, address)
				settled := h.settle(1, 64*time.Second)
				t.Logf("moved %t, clock at %+v: heard by all after %v, in order after %v", moved, ahead, believed, settled)
				if believed > time.Second { // at first gossip may miss a member until its next exchange
					slow++
				}
				for name, n := range h.nodes {
					if err := n.Err(); err != nil {
						t.Errorf("moved %t, clock at %+v: %s says %v", moved, ahead, name, err)
					}
				}
			}
			if slow > 2 {
				t.Errorf("moved %t: %d of 6 starts were not heard within a second", moved, slow)
			}
		})
	}
}

// A gossip message sent while the clock was an hour ahead arrives again after the clock is right:
// no node follows the dead start, not even for a moment, and the live one keeps serving.
func TestAnOldGossipMessageIsIgnored(t *testing.T) {
	inBubble(t, 12, func(h *testCluster) {
		h.network.record("n1")
		h.network.clock["n1"] = time.Hour
		g := clocked(h)
		h.network.record("")
		h.restart(0, "n1-moved:7947")
		h.settle(1, 64*time.Second)
		time.Sleep(time.Minute)
		h.network.replay()
		dead := 0
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			for _, s := range h.nodes["n0"].gossip.members() {
				if s.peer.Node() == "n1" && s.peer.Name != h.nodes["n1"].link.self.Name {
					dead++
				}
			}
			if !h.hear(h.nodes["n1"]) {
				t.Fatal("the live start is not heard")
			}
			for shard := range h.shards {
				if g.Status(shard).Serving != Live {
					t.Fatalf("shard %d: %v", shard, g.Status(shard))
				}
			}
			if err := h.nodes["n1"].Err(); err != nil {
				t.Fatal(err)
			}
		}
		if dead == 0 {
			t.Error("gossip accepted no old message: the test shows nothing")
		}
		t.Logf("gossip of n0 named the dead start for %v", time.Duration(dead)*10*time.Millisecond)
		if w := h.wrong(1); w != "" {
			t.Error(w)
		}
	})
}
