package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/traffic"
	"github.com/dashfeed/dashfeed/chaos/trial"
)

// moving lets one node serve 50,000 dashboards and then drains it, so that another node loads them
// all from the checkpoint, while a hundred of them are watched and have events. It measures the
// time from the new owner's first claim to be loading to its claim to be live with the last shard,
// and the longest time that a viewer had no update.
func moving(ctx context.Context, b *bench) (err error) {
	const dashboards, watched, rate = 50_000, 100, 1000
	t, err := b.trial(ctx, "load", trial.Config{
		Cluster: process.ClusterConfig{
			Nodes: 2, Gateways: 1, Tenants: fmt.Sprintf("default=%d", clusterPartitions),
			Args: []string{"--sleep", "1h"},
			Of: func(name string) []string { // the first node serves everything
				if name == "node-1" {
					return []string{"--weight", "1000"}
				}
				return nil
			},
		},
		Definition: clusterDefinition, Dashboards: watched, Rate: rate,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Stop()) }()
	names := make([]string, dashboards-watched)
	for i := range names {
		names[i] = fmt.Sprintf("many-%d", i)
	}
	if err := traffic.Fill(ctx, t.Cluster.URLs()[0], names, 4); err != nil {
		return err
	}
	if err := wait(ctx, 15*time.Second); err != nil { // time for two checkpoints
		return err
	}
	old, _, err := t.OwnerOf(ctx)
	if err != nil {
		return err
	}
	successor := t.Cluster.Nodes[0]
	if successor == old {
		successor = t.Cluster.Nodes[1]
	}
	b.machine()
	done := make(chan loading, 1)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() { done <- followLoad(watching, t.Cluster.Gateways[0], successor.Name) }()
	t.Begin()
	cpu, err := cpuWhile(successor, func() error { return errors.Join(b.drain(ctx, t, old), b.settles(ctx, t)) })
	if err != nil {
		return err
	}
	var l loading
	select {
	case l = <-done:
	case <-time.After(patience):
		return fmt.Errorf("%s has not loaded every shard within %s", successor.Name, patience)
	}
	var pauses []time.Duration
	for _, p := range t.Pauses() {
		pauses = append(pauses, p.Length)
	}
	fmt.Fprintf(b.out, "load: %d dashboards with %d events each, %d of them watched with %d events/s, move from %s to %s\n", dashboards, 4, watched, rate, old.Name, successor.Name)
	fmt.Fprintf(b.out, "the new owner took %s of CPU from the drain until every shard had one owner\n", cpu)
	b.figure("from loading to live with the last shard", l.last.Sub(l.first).Seconds(), 2, "s")
	_, p99 := b.spread("viewers' pause in that move", pauses)
	b.figure("pause p99", p99.Seconds()*1000, 300, "ms")
	return b.judge(ctx, t)
}

// loading is when a node first claimed to load a shard, and when it was live with all.
type loading struct{ first, last time.Time }

func followLoad(ctx context.Context, asked *process.Process, node string) (l loading) {
	for wait(ctx, 10*time.Millisecond) == nil {
		shards, err := trial.Shards(ctx, asked)
		if err != nil {
			continue
		}
		live, loads := 0, 0
		for _, s := range shards {
			for _, c := range s.Claims {
				if c.Node == node && c.State == "live" {
					live++
				}
				if c.Node == node && c.State == "loading" {
					loads++
				}
			}
		}
		now := time.Now()
		if loads > 0 && l.first.IsZero() {
			l.first = now
		}
		if live == len(shards) && live > 0 {
			l.last = now
			return l
		}
	}
	return l
}
