package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/trial"
)

// rolling drains and restarts every node and every gateway in turn, under load. A pause is a
// viewer's longest time without an update of a dashboard in one such step; each dashboard has an
// event every 40 ms.
func rolling(ctx context.Context, b *bench) (err error) {
	const dashboards, rate = 200, 5000
	t, err := b.trial(ctx, "rolling", trial.Config{
		Cluster:    process.ClusterConfig{Nodes: 3, Gateways: 2, Tenants: fmt.Sprintf("default=%d", clusterPartitions)},
		Definition: clusterDefinition, Dashboards: dashboards, Rate: rate, Once: true,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Stop()) }()
	b.machine()
	var drains, starts, quiet []time.Duration
	collect := func(into *[]time.Duration) {
		for _, p := range t.Pauses() {
			*into = append(*into, p.Length)
		}
		t.Begin()
	}
	t.Begin()
	if err := wait(ctx, 10*time.Second); err != nil {
		return err
	}
	collect(&quiet)
	for _, p := range t.Cluster.All() {
		if err := b.drain(ctx, t, p); err != nil {
			return err
		}
		if err := b.settles(ctx, t); err != nil {
			return err
		}
		collect(&drains)
		if err := p.Start(ctx); err != nil {
			return err
		}
		if err := b.settles(ctx, t); err != nil {
			return err
		}
		collect(&starts)
	}
	b.machine()
	losses, handed, gaps, fresh := 0, 0, 0, 0
	for _, v := range t.Viewers {
		n := v.Counts()
		losses, handed, fresh = losses+n.Losses, handed+n.Drains, fresh+n.Fresh
		for _, g := range n.Gaps {
			gaps += g
		}
	}
	fmt.Fprintf(b.out, "rolling: %d processes drained and started again, %d events/s, %d dashboards\n", len(t.Cluster.All()), rate, dashboards)
	b.spread("longest time without an update in 10 s when nothing happens", quiet)
	b.spread("pause while a process drains", drains)
	b.spread("pause while it starts again", starts)
	_, p99 := b.spread("pause, both", append(drains, starts...))
	b.figure("pause p99", p99.Seconds()*1000, 300, "ms")
	b.figure("gap frames", float64(gaps), 0, "")
	fmt.Fprintf(b.out, "%d connections handed over, %d lost, %d subscriptions started from 0\n", handed, losses, fresh)
	return b.judge(ctx, t)
}

// drain drains a process, and stops it when it is empty.
func (b *bench) drain(ctx context.Context, t *trial.Trial, p *process.Process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("after %s", patience))
	defer cancel()
	return t.Drain(ctx, p)
}

// settles waits until every shard has one owner; pauses are not judged.
func (b *bench) settles(ctx context.Context, t *trial.Trial) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("after %s", patience))
	defer cancel()
	return t.Settled(ctx)
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
