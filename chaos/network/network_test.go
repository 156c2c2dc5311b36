package network_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/chaos/network"
)

// TestNetwork: machines reach each other until they are cut off, then not, and again after Heal.
// Nothing is left behind.
func TestNetwork(t *testing.T) {
	n, err := network.New("one", "two", "three")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	hears := func(from, to, patience string) bool {
		script := "exec 3<>/dev/tcp/" + n.Addr(to) + "/7"
		args := append(n.Exec(from)[1:], "timeout", patience, "bash", "-c", script)
		out, _ := exec.Command("ip", args...).CombinedOutput()
		// no process listens there, so the machine refuses
		return strings.Contains(string(out), "refused")
	}
	expect := func(when string, cut bool) {
		t.Helper()
		for _, pair := range [][2]string{{"one", "two"}, {"two", "one"}, {"one", "three"}, {"two", "three"}, {network.Hub, "one"}} {
			want := !cut || pair[0] == network.Hub || pair[1] == "three"
			patience := "10" // a busy machine is slow to refuse
			if !want {
				patience = "0.5"
			}
			if got := hears(pair[0], pair[1], patience); got != want {
				t.Errorf("%s: does %s reach %s: got %v, want %v", when, pair[0], pair[1], got, want)
			}
		}
	}
	expect("at first", false)
	if err := n.Cut("one", "two"); err != nil {
		t.Fatal(err)
	}
	expect("cut", true)
	if err := n.Heal(); err != nil {
		t.Fatal(err)
	}
	expect("healed", false)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil || strings.Contains(string(out), n.Prefix()) {
		t.Errorf("left behind: %s, %v", out, err)
	}
}
