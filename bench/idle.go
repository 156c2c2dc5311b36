package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// idlePartitions is how many partitions each tenant has.
const idlePartitions = 4

// idle measures what a cluster of three nodes and a gateway, and its broker, spend while nothing
// happens: tenants with topics of their own, each of which holds a few events.
func idle(ctx context.Context, b *bench) (err error) {
	const lasts = 60 * time.Second
	dir := b.dir + "/idle"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	c, err := process.StartCluster(ctx, process.ClusterConfig{
		Binary: b.binary, Dir: dir, Nodes: 3, Gateways: 1, Tenants: fmt.Sprintf("t000=%d", idlePartitions),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	began := time.Now()
	for i := 1; i < b.tenants; i++ {
		command := exec.CommandContext(ctx, b.binary, "tenant", "add", fmt.Sprintf("t%03d", i), "--partitions", fmt.Sprint(idlePartitions), "--admin-server", c.Gateways[0].Admin)
		if said, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("tenant add: %w: %s", err, said)
		}
	}
	fmt.Fprintf(b.out, "idle: %d tenants, %d shards, the last one live after %.0f s\n", b.tenants, b.tenants*idlePartitions, time.Since(began).Seconds())
	const settles = 30 * time.Second // meanwhile windows end and checkpoints are written
	if err := errors.Join(b.aFewEvents(c.Gateways[0].URL), wait(ctx, settles)); err != nil {
		return err
	}
	b.machine()
	profiled := b.profile(c.Nodes[0], "idle", lasts)
	processes := append(c.All(), nil)
	spent := make([]time.Duration, len(processes))
	read := func(sign time.Duration) error {
		for i, p := range processes {
			cpu, err := c.Pulsar.CPU()
			if p != nil {
				cpu, err = p.CPU()
			}
			if err != nil {
				return err
			}
			spent[i] += sign * cpu
		}
		return nil
	}
	if err := errors.Join(read(-1), wait(ctx, lasts), read(1)); err != nil {
		return err
	}
	profiled()
	b.machine()
	share := func(d time.Duration) float64 { return d.Seconds() / lasts.Seconds() }
	nodes := 0.0
	for i, p := range c.Nodes {
		nodes += share(spent[i])
		fmt.Fprintf(b.out, "%s: %.3f cores\n", p.Name, share(spent[i]))
	}
	fmt.Fprintf(b.out, "gateway: %.3f cores; broker and bookie: %.3f cores\n", share(spent[3]), share(spent[4]))
	fmt.Fprintf(b.out, "each shard: %.3f ms of CPU a second on its node, %.3f at the broker\n", 1000*nodes/float64(b.tenants*idlePartitions), 1000*share(spent[4])/float64(b.tenants*idlePartitions))
	b.figure("all nodes, idle", nodes, 0.1, "cores")
	return nil
}

// aFewEvents posts a few events for each tenant, on nearly all of its partitions.
func (b *bench) aFewEvents(url string) error {
	for i := range b.tenants {
		var body strings.Builder
		for d := range 4 * idlePartitions {
			fmt.Fprintf(&body, `{"tenant":"t%03d","dashboard":"d%d","metric":"m","value":1}`+"\n", i, d)
		}
		resp, err := http.Post(url+"/v1/events", "application/x-ndjson", strings.NewReader(body.String()))
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			return fmt.Errorf("post events: %s", resp.Status)
		}
	}
	return nil
}
