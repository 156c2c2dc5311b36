// Package network builds machines from network namespaces on one bridge, and cuts them off from
// each other.
//
//	n, err := network.New("pulsar", "node-1", "node-2")
//	defer n.Close() // removes every namespace, and with them all that was in them
//	cmd := append(n.Exec("node-1"), "dashfeed", "node", "--link", n.Addr("node-1")+":7947", …)
//	err = n.Cut("node-1", "node-2")      // drops every packet between the two
//	err = n.Heal()
//
// The bridge is in a namespace of its own, the hub. The hub is a machine too and reaches all
// others: tests run there. No address and no rule is made outside. The package needs root, iproute2
// and nftables.
package network

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const (
	// Hub is the machine that holds the bridge.
	Hub = "hub"

	family = "dashfeed-" // prefix of the namespaces' names
	subnet = "10.77.0."
)

// Network is a set of machines. One goroutine uses it.
type Network struct {
	prefix string
	addrs  map[string]string
	made   []string // names of the namespaces this network made
}

// New makes the named machines and the hub.
func New(machines ...string) (*Network, error) {
	if err := sweep(); err != nil {
		return nil, err
	}
	n := &Network{prefix: family + strconv.Itoa(os.Getpid()) + "-", addrs: map[string]string{}}
	if err := n.make(machines); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// Of returns the network that another process made. The caller runs in its hub, and must neither
// cut nor close it.
func Of(prefix string, machines ...string) *Network {
	n := &Network{prefix: prefix, addrs: map[string]string{Hub: subnet + "1"}}
	for i, m := range machines {
		n.addrs[m] = subnet + strconv.Itoa(i+2)
	}
	return n
}

// Prefix returns the prefix that Of needs.
func (n *Network) Prefix() string { return n.prefix }

func (n *Network) make(machines []string) error {
	hub, err := n.add(Hub, subnet+"1")
	if err != nil {
		return err
	}
	steps := [][]string{
		{"-n", hub, "link", "add", "bridge", "type", "bridge"},
		{"-n", hub, "addr", "add", subnet + "1/24", "dev", "bridge"},
		{"-n", hub, "link", "set", "bridge", "up"},
	}
	for i, m := range machines {
		addr, port := subnet+strconv.Itoa(i+2), "port"+strconv.Itoa(i+2)
		space, err := n.add(m, addr)
		if err != nil {
			return err
		}
		steps = append(steps,
			[]string{"-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space},
			[]string{"-n", hub, "link", "set", port, "master", "bridge", "up"},
			[]string{"-n", space, "addr", "add", addr + "/24", "dev", "eth0"},
			[]string{"-n", space, "link", "set", "eth0", "up"})
	}
	for _, s := range steps {
		if err := run("", "ip", s...); err != nil {
			return err
		}
	}
	return n.nft(`table bridge cuts {
	set pairs { type ipv4_addr . ipv4_addr; }
	chain forward { type filter hook forward priority 0; ip saddr . ip daddr @pairs drop; }
}`)
}

func (n *Network) add(machine, addr string) (space string, err error) {
	space = n.prefix + machine
	if err := run("", "ip", "netns", "add", space); err != nil {
		return space, err
	}
	n.made = append(n.made, space)
	n.addrs[machine] = addr
	return space, run("", "ip", "-n", space, "link", "set", "lo", "up")
}

// Addr returns a machine's address.
func (n *Network) Addr(machine string) string { return n.addrs[machine] }

// Exec returns the first words of a command line that runs on a machine.
func (n *Network) Exec(machine string) []string {
	return []string{"ip", "netns", "exec", n.prefix + machine}
}

// Cut drops every packet between two machines, neither of which is the hub. Open connections stay
// open and receive nothing.
func (n *Network) Cut(a, b string) error {
	return n.nft(fmt.Sprintf("add element bridge cuts pairs { %[1]s . %[2]s, %[2]s . %[1]s }", n.addrs[a], n.addrs[b]))
}

// Heal ends all cuts.
func (n *Network) Heal() error { return n.nft("flush set bridge cuts pairs") }

func (n *Network) nft(script string) error {
	return run(script, "ip", "netns", "exec", n.prefix+Hub, "nft", "-f", "-")
}

// Close removes the namespaces. Processes that still run in them lose their network.
func (n *Network) Close() error {
	var errs []error
	for _, space := range n.made {
		errs = append(errs, run("", "ip", "netns", "del", space))
	}
	n.made = nil
	return errors.Join(errs...)
}

// sweep removes the namespaces of processes that have ended.
func sweep() error {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return fmt.Errorf("list network namespaces: %w (root and iproute2 are needed)", err)
	}
	for line := range strings.Lines(string(out)) {
		space, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(space, family)
		pid, _, ok := strings.Cut(rest, "-")
		if !ours || !ok {
			continue
		}
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, os.ErrNotExist) {
			if err := run("", "ip", "netns", "del", space); err != nil {
				return err
			}
		}
	}
	return nil
}

func run(input, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
