package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/traffic"
	"github.com/dashfeed/dashfeed/chaos/trial"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/messages"
)

const (
	foldCall       = 500 // events of one append
	foldProducers  = 4
	foldDashboards = 200
)

// folding measures what one node spends from Pulsar to folded state: the CPU time by /proc while it
// folds new events, minus what it spends while none come. It measures events that are one message
// each, from an ordinary producer with batching, and events that Dashfeed's appender packs into
// messages. Then it measures how fast the node folds them again after kill -9 without a checkpoint.
func folding(ctx context.Context, b *bench) error {
	for _, c := range []struct {
		name   string
		packed bool
		rate   int
		target float64
	}{{"single", false, 20_000, 3}, {"packed", true, 40_000, 0.8}} {
		if err := b.foldOne(ctx, c.name, c.packed, c.rate, c.target); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

func (b *bench) foldOne(ctx context.Context, name string, packed bool, rate int, target float64) (err error) {
	const idle, lasts = 10 * time.Second, 25 * time.Second
	t, err := b.trial(ctx, "fold-"+name, trial.Config{
		Cluster: process.ClusterConfig{
			Nodes: 1, Gateways: 1, Tenants: fmt.Sprintf("default=%d", clusterPartitions),
			Of: func(process string) []string {
				if process == "node-1" {
					return []string{"--checkpoint", "1h"}
				}
				return nil
			},
		},
		Definition: clusterDefinition, Dashboards: foldDashboards, Unwatched: true,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Stop()) }()
	log, err := b.producer(ctx, t)
	if err != nil {
		return err
	}
	defer log.Close()
	node := t.Cluster.Nodes[0]
	produce := func(prefix string, seconds int) error {
		if packed {
			return b.produce(ctx, log, t.Names, prefix, rate, rate*seconds)
		}
		single := traffic.Numbered{
			Broker: t.Cluster.Pulsar.URL, Topic: pulsar.EventsTopic(messages.DefaultTenant), Dashboards: t.Names,
			Rate: rate, Delay: 10 * time.Millisecond,
			Payload: func(n int, dashboard string) []byte { return foldEvent(prefix, n, dashboard) },
		}
		sent, err := single.Run(ctx, time.Duration(seconds)*time.Second)
		if less := rate*seconds - sent; err == nil && less > rate*seconds/100 {
			err = fmt.Errorf("%d of %d events could not be sent in time", less, rate*seconds)
		}
		return err
	}
	const warm = 5
	if err := errors.Join(produce("warm", warm), b.caughtUp(ctx, t, log)); err != nil {
		return err
	}
	nothing, err := cpuWhile(node, func() error { return wait(ctx, idle) })
	if err != nil {
		return err
	}
	n, began := rate*int(lasts.Seconds()), time.Now()
	profiled := b.profile(node, name, lasts)
	busy, err := cpuWhile(node, func() error {
		return errors.Join(produce(name, int(lasts.Seconds())), b.caughtUp(ctx, t, log))
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	profiled()
	own := busy - time.Duration(float64(nothing)*took.Seconds()/idle.Seconds())
	b.machine()
	fmt.Fprintf(b.out, "fold %s: %d events on %d dashboards in %s; CPU %s, idle %.1f ms a second\n", name, n, foldDashboards,
		took.Round(time.Millisecond), busy, float64(nothing.Microseconds())/1000/idle.Seconds())
	b.figure("CPU an event, "+name, float64(own.Nanoseconds())/float64(n)/1000, target, "us")
	return b.replay(ctx, t, log, node, n+rate*warm)
}

// replay kills the node and lets it fold everything again.
func (b *bench) replay(ctx context.Context, t *trial.Trial, log *pulsar.Log, node *process.Process, n int) error {
	if err := node.Kill(); err != nil {
		return err
	}
	if err := os.RemoveAll(b.scratch(t, node)); err != nil { // its own copy of checkpoints
		return err
	}
	began := time.Now()
	if err := node.Launch(); err != nil {
		return err
	}
	if err := b.caughtUp(ctx, t, log); err != nil {
		return err
	}
	took := time.Since(began)
	cpu, err := node.CPU()
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "replay after a crash: %d events from launch to live in %s: %.0f events/s, %.2f us of CPU each, the start of the process included\n",
		n, took.Round(time.Millisecond), float64(n)/took.Seconds(), float64(cpu.Nanoseconds())/float64(n)/1000)
	return nil
}

// scratch returns the directory of a node's own copy of checkpoints.
func (b *bench) scratch(t *trial.Trial, node *process.Process) string {
	return t.Dir() + "/" + node.Name
}

// producer opens Dashfeed's own appender.
func (b *bench) producer(ctx context.Context, t *trial.Trial) (*pulsar.Log, error) {
	c := pulsar.Default(t.Cluster.Pulsar.URL, t.Cluster.Pulsar.Admin)
	c.Cluster, c.CheckEvery, c.Keys = "bench", 0, [][]byte{t.Cluster.Key}
	c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	return pulsar.Open(ctx, c)
}

// produce appends n events at a rate, foldCall of them in one call.
func (b *bench) produce(ctx context.Context, log *pulsar.Log, names []string, prefix string, rate, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for p := range foldProducers {
		group.Go(func() error {
			entries := make([]eventlog.Entry, foldCall)
			for first := p * foldCall; first < n; first += foldProducers * foldCall {
				if err := wait(ctx, time.Duration(float64(first)/float64(rate)*float64(time.Second))-time.Since(began)); err != nil {
					return err
				}
				for i := range entries {
					k := first + i
					name := names[(k/8)%len(names)]
					entries[i] = eventlog.Entry{
						Kind: messages.KindEvent, Key: messages.Key{Tenant: messages.DefaultTenant, Dashboard: name},
						Payload: foldEvent(prefix, k, name),
					}
				}
				if _, err := log.Append(ctx, entries); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// foldEvent returns the n-th event, of 180 bytes.
func foldEvent(prefix string, n int, dashboard string) []byte {
	return fmt.Appendf(nil, `{"id":"%s-%d","dashboard":"%s","metric":"latency","value":%d,"time":%d,"labels":{"k":"k%d","country":"DE"},"metadata":{"unit":"ms"}}`,
		prefix, n, dashboard, n%1000, time.Now().UnixMilli(), n%8)
}

// caughtUp waits until a node reports every shard live at the position that is the log's last now.
func (b *bench) caughtUp(ctx context.Context, t *trial.Trial, log *pulsar.Log) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	last := map[int]messages.Position{}
	for p := range log.Partitions() {
		var err error
		if last[p], err = log.Last(ctx, p); err != nil {
			return err
		}
	}
	for {
		shards, err := trial.Shards(ctx, t.Cluster.Nodes[0])
		there := 0
		for _, s := range shards {
			for _, c := range s.Claims {
				position, parsed := messages.ParsePosition(c.Position)
				if c.State == "live" && parsed == nil && position.Compare(last[s.Shard]) >= 0 {
					there++
				}
			}
		}
		if err == nil && there > 0 && there == log.Partitions() {
			return nil
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d shards have folded everything: %w: %v", there, log.Partitions(), err, shards)
		}
	}
}

func cpuWhile(p *process.Process, do func() error) (time.Duration, error) {
	before, err := p.CPU()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := p.CPU()
	return after - before, err
}
