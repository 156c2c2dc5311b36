package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/dashfeed/dashfeed/chaos/network"
	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/trial"
)

// Environment variables that the copy inside the network's hub reads.
const (
	hubVariable    = "BENCH_HUB"
	binaryVariable = "BENCH_BINARY"
)

var machines = []string{"pulsar", "node-1", "node-2", "node-3"}

// cut runs Pulsar and three nodes on machines of their own, cuts node from node and node from
// broker for 5, 20 and 75 s each, and measures how long after the cut every process names the same
// one owner of every shard. It needs root: see chaos/network.
func cut(ctx context.Context, b *bench) (err error) {
	if prefix := os.Getenv(hubVariable); prefix != "" {
		return b.cutInside(ctx, network.Of(prefix, machines...))
	}
	n, err := network.New(machines...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	line := append(n.Exec(network.Hub), self, "cut")
	inner := exec.CommandContext(ctx, line[0], line[1:]...)
	inner.Env = append(os.Environ(), hubVariable+"="+n.Prefix(), binaryVariable+"="+b.binary)
	inner.Stdout, inner.Stderr = b.out, os.Stderr
	inner.Cancel = func() error { return inner.Process.Signal(os.Interrupt) }
	inner.WaitDelay = time.Minute
	return inner.Run()
}

func (b *bench) cutInside(ctx context.Context, n *network.Network) (err error) {
	t, err := b.trial(ctx, "cut", trial.Config{
		Cluster:    trial.On(n, process.ClusterConfig{Nodes: 3, Gateways: 2, Tenants: fmt.Sprintf("default=%d", clusterPartitions)}),
		Definition: clusterDefinition, Dashboards: 100, Rate: 1000,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Stop()) }()
	b.machine()
	for _, length := range []time.Duration{5 * time.Second, 20 * time.Second, 75 * time.Second} {
		for _, pair := range [][2]string{{"node-1", "node-2"}, {"node-3", "pulsar"}} {
			healing, err := t.Cut(ctx, n, pair[0], pair[1], length)
			if err != nil {
				return fmt.Errorf("%s and %s cut off for %s: %w", pair[0], pair[1], length, err)
			}
			fmt.Fprintf(b.out, "%s and %s cut off for %s: %s\n", pair[0], pair[1], length, healing)
			b.figure(fmt.Sprintf("one owner after %s, %s | %s", length, pair[0], pair[1]), healing.Healed.Seconds(), 15, "s")
		}
	}
	b.machine()
	return b.judge(ctx, t)
}
