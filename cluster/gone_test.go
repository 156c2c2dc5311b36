package cluster

import (
	"fmt"
	"testing"
	"time"
)

// A node that died is listed as gone, and since when, until it is back.
func TestDeadMembersAreListedAsGone(t *testing.T) {
	inBubble(t, 4, func(h *testCluster) {
		n := h.start("n0")
		h.start("n1")
		h.settle(1, 30*time.Second)
		if gone := n.Gone(); len(gone) > 0 {
			t.Errorf("before: %+v", gone)
		}
		h.kill("n1")
		h.settle(1, 30*time.Second)
		if gone := n.Gone(); len(gone) != 1 || gone[0].Node != "n1" || time.Since(gone[0].Since) > 30*time.Second {
			t.Errorf("gone are %+v", gone)
		}
		h.start("n1")
		h.settle(1, 60*time.Second)
		if gone := n.Gone(); len(gone) > 0 {
			t.Errorf("it is back: %+v", gone)
		}
	})
}

func TestGoneMembersAreBounded(t *testing.T) {
	v := newView(sighting{}, 1, standardRules())
	for i := range 1000 {
		v.rememberLeft(time.Duration(i), &member{sighting: sighting{gossip: fmt.Sprint(i)}})
	}
	if len(v.left) != maxGone || v.left[maxGone-1].gossip != "999" {
		t.Errorf("%d are remembered, the last is %s", len(v.left), v.left[len(v.left)-1].gossip)
	}
}
