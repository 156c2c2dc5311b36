package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/trial"
)

// tenant adds a tenant with hundreds of partitions beside hundreds of live shards, under load. A
// pause is a viewer's longest time without an update of a dashboard of the old tenant meanwhile;
// each dashboard has an event every 200 ms.
func tenant(ctx context.Context, b *bench) (err error) {
	const watched, beside, added, dashboards, rate = 16, 240, 512, 100, 500
	t, err := b.trial(ctx, "tenant", trial.Config{
		Cluster:    process.ClusterConfig{Nodes: 3, Gateways: 1, Tenants: fmt.Sprintf("default=%d", watched)},
		Definition: clusterDefinition, Dashboards: dashboards, Rate: rate, Once: true,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Stop()) }()
	b.machine()
	if err := b.addTenant(ctx, t, "beside", beside); err != nil {
		return err
	}
	if err := b.settle(ctx, t); err != nil {
		return err
	}
	var quiet, pauses []time.Duration
	t.Begin()
	if err := wait(ctx, 20*time.Second); err != nil {
		return err
	}
	for _, p := range t.Pauses() {
		quiet = append(quiet, p.Length)
	}
	t.Begin()
	watching, end := context.WithCancel(ctx)
	defer end()
	unheard := make(chan time.Duration, 1)
	go func() { unheard <- longestUnheard(watching, t.Cluster.Gateways[0], watched+beside) }()
	if err := b.addTenant(ctx, t, "added", added); err != nil {
		return err
	}
	if err := wait(ctx, 5*time.Second); err != nil {
		return err
	}
	for _, p := range t.Pauses() {
		pauses = append(pauses, p.Length)
	}
	end()
	b.machine()
	fmt.Fprintf(b.out, "tenant: %d partitions added beside %d live shards on 3 nodes, %d events/s, %d dashboards\n", added, watched+beside, rate, dashboards)
	b.spread("longest time without an update in 20 s when nothing happens", quiet)
	b.spread("longest time without an update meanwhile", pauses)
	b.figure("a shard of the old tenant not live, longest", (<-unheard).Seconds(), 0.5, "s")
	return b.judge(ctx, t)
}

// addTenant runs the command, and prints its output and how long it takes.
func (b *bench) addTenant(ctx context.Context, t *trial.Trial, name string, partitions int) error {
	began := time.Now()
	command := exec.CommandContext(ctx, b.binary, "tenant", "add", name, "--partitions", fmt.Sprint(partitions), "--admin-server", t.Cluster.Gateways[0].Admin)
	said, err := command.CombinedOutput()
	fmt.Fprintf(b.out, "%stenant add, until all %d shards are live: %.1f s\n", said, partitions, time.Since(began).Seconds())
	if err != nil {
		return fmt.Errorf("tenant add: %w", err)
	}
	return nil
}

// longestUnheard polls a process for the states of the first n shards, and returns the longest time
// that one was not live.
func longestUnheard(ctx context.Context, p *process.Process, n int) (longest time.Duration) {
	since := map[int]time.Time{}
	for wait(ctx, 100*time.Millisecond) == nil {
		shards, err := trial.Shards(ctx, p)
		if err != nil {
			continue
		}
		now := time.Now()
		for _, s := range shards[:min(n, len(shards))] {
			switch begun, known := since[s.Shard]; {
			case s.State == "live":
				delete(since, s.Shard)
			case !known:
				since[s.Shard] = now
			default:
				longest = max(longest, now.Sub(begun))
			}
		}
	}
	return longest
}
