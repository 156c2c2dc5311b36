package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/trial"
)

// Constants that the measurements of whole clusters share.
const (
	clusterDashboards = 200
	clusterRate       = 5000
	clusterPartitions = 8
	patience          = 2 * time.Minute // for a cluster that does not settle
)

// clusterDefinition is the definition of every dashboard: an exact count, and a window.
const clusterDefinition = `
dedupe: {by: id, horizon: 10m}
panels:
  - {id: total, window: latest, aggregates: [count, sum]}
  - {id: seconds, window: {tumbling: 10s}, keep: 6, group_by: [labels.k], aggregates: [count, sum, max]}
`

// trial starts a cluster under load and waits until it has settled. The name is its directory's
// name.
func (b *bench) trial(ctx context.Context, name string, c trial.Config) (*trial.Trial, error) {
	c.Cluster.Binary, c.Cluster.Dir = b.binary, b.dir+"/"+name
	if err := os.MkdirAll(c.Cluster.Dir, 0o755); err != nil {
		return nil, err
	}
	t, err := trial.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := b.settle(ctx, t); err != nil {
		return nil, errors.Join(err, t.Cluster.Logs(os.Stderr, 20), t.Stop())
	}
	return t, nil
}

// settle waits until every shard has one owner and every viewer gets updates.
func (b *bench) settle(ctx context.Context, t *trial.Trial) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("after %s", patience))
	defer cancel()
	if err := t.Settled(ctx); err != nil {
		return err
	}
	t.Begin()
	return t.Moved(ctx)
}

// judge compares everything with the log and prints the verdict.
func (b *bench) judge(ctx context.Context, t *trial.Trial) error {
	verdict, err := t.Judge(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "exact recount: %s\n", verdict)
	for _, p := range verdict.Problems {
		fmt.Fprintf(b.out, "  NOT exact: %s\n", p)
	}
	return nil
}

// spread prints percentiles of all samples, and returns two of them.
func (b *bench) spread(name string, samples []time.Duration) (p50, p99 time.Duration) {
	if len(samples) == 0 {
		fmt.Fprintf(b.out, "%s: no samples\n", name)
		return 0, 0
	}
	slices.Sort(samples)
	at := func(q float64) time.Duration { return samples[int(q*float64(len(samples)-1))] }
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	fmt.Fprintf(b.out, "%s: %d samples, p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, max %.1f ms\n", name, len(samples), ms(at(0.5)), ms(at(0.9)), ms(at(0.99)), ms(at(1)))
	return at(0.5), at(0.99)
}

// restart starts a process that has ended, and waits until the cluster has settled.
func (b *bench) restart(ctx context.Context, t *trial.Trial, p *process.Process) error {
	if err := p.Start(ctx); err != nil {
		return err
	}
	return b.settle(ctx, t)
}
