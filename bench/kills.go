package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/trial"
	"github.com/dashfeed/dashfeed/eventlog"
)

// kills kills one of three nodes with SIGKILL twenty times in a row, under 5,000 events a second on
// 200 dashboards, without and with standbys. The pause of a viewer is its longest time without an
// update of a dashboard that the killed node served; each dashboard has an event every 40 ms. At
// the end every count is compared with the log.
func kills(ctx context.Context, b *bench) error {
	for _, replicas := range []int{1, 2} {
		if err := b.killsWith(ctx, replicas); err != nil {
			return fmt.Errorf("replicas %d: %w", replicas, err)
		}
	}
	return nil
}

func (b *bench) killsWith(ctx context.Context, replicas int) (err error) {
	const rounds = 20
	t, err := b.trial(ctx, fmt.Sprintf("kills-%d", replicas), trial.Config{
		Cluster:    process.ClusterConfig{Nodes: 3, Gateways: 2, Replicas: replicas, Tenants: fmt.Sprintf("default=%d", clusterPartitions)},
		Definition: clusterDefinition, Dashboards: clusterDashboards, Rate: clusterRate, Once: true,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Stop()) }()
	var hit, spared []time.Duration
	for i := range rounds {
		node, shards, err := owner(ctx, t, i)
		if err != nil {
			return err
		}
		served := map[int]bool{}
		for _, s := range shards {
			served[s] = true
		}
		t.Begin()
		if err := node.Kill(); err != nil {
			return err
		}
		if err := b.moves(ctx, t); err != nil {
			return err
		}
		for _, p := range t.Pauses() {
			home := eventlog.PartitionOf(p.Dashboard, clusterPartitions)
			if served[home] {
				hit = append(hit, p.Length)
			} else {
				spared = append(spared, p.Length)
			}
		}
		if err := b.restart(ctx, t, node); err != nil {
			return err
		}
	}
	b.machine()
	fmt.Fprintf(b.out, "kills: %d in a row, replicas %d, %d events/s, %d dashboards, %d events acknowledged\n", rounds, replicas, clusterRate, clusterDashboards, t.Account.All())
	p50, p99 := b.spread("pause on dashboards of the killed node", hit)
	b.spread("pause on the others", spared)
	if replicas == 1 {
		b.figure("pause p50, no standby", p50.Seconds()*1000, 2000, "ms")
		b.figure("pause p99, no standby", p99.Seconds()*1000, 4000, "ms")
	} else {
		b.figure("pause p99, with a standby", p99.Seconds()*1000, 1000, "ms")
	}
	return b.judge(ctx, t)
}

// owner returns a node that serves shards, another one each round, and its shards.
func owner(ctx context.Context, t *trial.Trial, round int) (*process.Process, []int, error) {
	all, err := trial.Shards(ctx, t.Cluster.Gateways[0])
	if err != nil {
		return nil, nil, err
	}
	for i := range t.Cluster.Nodes {
		node := t.Cluster.Nodes[(round+i)%len(t.Cluster.Nodes)]
		var shards []int
		for _, s := range all {
			if s.Owner == node.Name {
				shards = append(shards, s.Shard)
			}
		}
		if len(shards) > 0 {
			return node, shards, nil
		}
	}
	return nil, nil, errors.New("no node serves a shard")
}

// moves waits until every viewer has had an update of every dashboard since Begin.
func (b *bench) moves(ctx context.Context, t *trial.Trial) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("after %s", patience))
	defer cancel()
	return t.Moved(ctx)
}
