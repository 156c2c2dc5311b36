// Package trial puts a whole cluster under load while viewers watch, for tests that break it and
// for measurements.
//
//	t, err := trial.Start(ctx, trial.Config{Cluster: process.ClusterConfig{Binary: binary, Dir: dir}, Dashboards: 100, Rate: 1500})
//	defer t.Stop()
//	t.Begin()
//	err = t.Cluster.Nodes[0].Kill()
//	err = t.Moved(ctx) // every viewer of every dashboard has had an update since Begin
//	pauses := t.Pauses()
//	err = t.Cluster.Nodes[0].Start(ctx)
//	err = t.Settled(ctx)                   // every process names the same one owner of every shard
//	verdict, err := t.Judge(ctx) // ends the load; compares everything with the log, folded again
package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/traffic"
	"github.com/dashfeed/dashfeed/chaos/viewer"
	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Region is the region of every server; it is part of every epoch.
const Region = "local"

// perViewer is how many dashboards one connection watches.
const perViewer = 100

// Config says what a trial consists of.
type Config struct {
	Cluster    process.ClusterConfig
	Definition string // definition of every dashboard
	Dashboards int
	Rate       int           // events a second posted to the gateways
	Every      time.Duration // time between two bodies of a sender; 0: 40 ms
	Foreign    int           // events a second written to Pulsar by foreign producers, in all ways
	Record     bool          // viewers keep what every version looked like, and Judge compares
	Once       bool          // watch each dashboard at one gateway, in turn; false: at all
	Unwatched  bool          // no viewers
}

// Trial is a cluster under load. One goroutine uses it.
type Trial struct {
	Cluster *process.Cluster
	Names   []string // names of the dashboards; their tenant is default
	Account *traffic.Account
	Viewers []*viewer.Viewer

	config  Config
	clients []*client.Client // one a gateway
	stop    context.CancelFunc
	load    *errgroup.Group
	ended   bool // the load has ended
}

// Start starts the cluster, defines the dashboards, and starts load and viewers.
func Start(ctx context.Context, c Config) (*Trial, error) {
	cluster, err := process.StartCluster(ctx, c.Cluster)
	if err != nil {
		return nil, err
	}
	t := &Trial{Cluster: cluster, Account: traffic.NewAccount(), config: c}
	for i := range c.Dashboards {
		t.Names = append(t.Names, fmt.Sprintf("board-%d", i))
	}
	for _, url := range cluster.URLs() {
		one, err := client.New(client.Options{Server: url})
		if err != nil {
			return nil, errors.Join(err, t.Stop())
		}
		t.clients = append(t.clients, one)
	}
	if err := t.define(ctx); err != nil {
		return nil, errors.Join(err, t.Stop())
	}
	t.run()
	if !c.Unwatched {
		t.watch()
	}
	return t, nil
}

func (t *Trial) define(ctx context.Context) error {
	if t.config.Definition == "" {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i, name := range t.Names {
		group.Go(func() error {
			_, err := t.clients[i%len(t.clients)].Define(ctx, name, []byte(t.config.Definition))
			return err
		})
	}
	return group.Wait()
}

// run starts the producers.
func (t *Trial) run() {
	ctx, stop := context.WithCancel(context.Background())
	t.stop, t.load = stop, &errgroup.Group{}
	if t.config.Rate > 0 {
		load := &traffic.Load{Name: "load", Gateways: t.Cluster.URLs(), Dashboards: t.Names, Rate: t.config.Rate, Every: t.config.Every, Account: t.Account}
		t.load.Go(func() error { return load.Run(ctx) })
	}
	if t.config.Foreign > 0 {
		s := &traffic.ForeignProducer{
			Name: "foreign", Broker: t.Cluster.Pulsar.URL, Topic: pulsar.EventsTopic(messages.DefaultTenant),
			Tenant: messages.DefaultTenant, Dashboards: t.Names,
			Rate: t.config.Foreign, Account: t.Account,
		}
		t.load.Go(func() error { return s.Run(ctx) })
	}
}

// watch starts the viewers: one connection for each hundred dashboards, at every gateway or at the
// gateways in turn.
func (t *Trial) watch() {
	urls := t.Cluster.URLs()
	for g := range urls {
		var names []string
		for i, name := range t.Names {
			if !t.config.Once || i%len(urls) == g {
				names = append(names, name)
			}
		}
		for first := 0; first < len(names); first += perViewer {
			gateways := append(append([]string(nil), urls[g:]...), urls[:g]...)
			t.Viewers = append(t.Viewers, viewer.Watch(viewer.Config{
				Name: fmt.Sprintf("viewer %d at %s", first/perViewer, t.Cluster.Gateways[g].Name), Gateways: gateways,
				Dashboards: names[first:min(first+perViewer, len(names))], Record: t.config.Record,
			}))
		}
	}
}

// Dir returns the directory of the cluster's processes: logs, scratch stores, Pulsar's data.
func (t *Trial) Dir() string { return t.config.Cluster.Dir }

// Begin starts to count pauses.
func (t *Trial) Begin() {
	for _, v := range t.Viewers {
		v.Begin()
	}
}

// Pauses returns the longest time without an update since Begin, for each viewer of each dashboard.
func (t *Trial) Pauses() (all []Pause) {
	for _, v := range t.Viewers {
		for d, p := range v.Pauses() {
			all = append(all, Pause{d, p})
		}
	}
	return all
}

// Pause is how long a viewer of a dashboard had no update.
type Pause struct {
	Dashboard string
	Length    time.Duration
}

// Moved waits until every viewer has had an update of every dashboard since Begin.
func (t *Trial) Moved(ctx context.Context) error {
	return t.until(ctx, func() error {
		for _, v := range t.Viewers {
			if waiting := v.Waiting(); len(waiting) > 0 {
				return fmt.Errorf("%d dashboards have had no update, such as %s, whose state is %s", len(waiting), waiting[0], v.States()[waiting[0]])
			}
		}
		return nil
	})
}

// Stale waits until every viewer was told that every dashboard is stale.
func (t *Trial) Stale(ctx context.Context) error {
	return t.until(ctx, func() error {
		for _, v := range t.Viewers {
			for d, state := range v.States() {
				if state != wire.StateStale {
					return fmt.Errorf("the state of %s is %s", d, state)
				}
			}
		}
		return nil
	})
}

// until repeats ask until it returns nil or ctx ends.
func (t *Trial) until(ctx context.Context, ask func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// EndLoad ends the producers, once everything they began is acknowledged.
func (t *Trial) EndLoad() error {
	if t.ended || t.load == nil {
		return nil
	}
	t.ended = true
	t.stop()
	return t.load.Wait()
}

// Stop ends viewers, load and cluster.
func (t *Trial) Stop() error {
	err := t.EndLoad()
	for _, v := range t.Viewers {
		v.Close()
	}
	for _, c := range t.clients {
		c.Close()
	}
	return errors.Join(err, t.Cluster.Stop())
}
