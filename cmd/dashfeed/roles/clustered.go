// Package roles holds what a Dashfeed process can be: everything in one process, with the embedded
// log (Single), or a node or gateway of a cluster on Pulsar (Clustered). Each role starts its parts
// from the top to the bottom of its Start.
package roles

import (
	"context"
	"os"
	"sync"
	"sync/atomic"

	"github.com/dashfeed/dashfeed/actors"
	"github.com/dashfeed/dashfeed/cluster"
	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/source"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/feed/remote"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/gateway"
)

// ClusteredFlags holds the flags of node and gateway.
type ClusteredFlags struct {
	PublicFlags
	AdminFlags
	PulsarFlags
	GossipFlags
	ShardFlags
	DashboardFlags
	ReserveFlag
	Shards, Public bool `kong:"-"` // what the role does
}

// Check checks what kong's types cannot. It returns all errors at once.
func (f *ClusteredFlags) Check() error {
	wrong := f.PulsarFlags.wrong()
	wrong = append(wrong, f.GossipFlags.wrong()...)
	wrong = append(wrong, f.DashboardFlags.wrong()...)
	wrong = append(wrong, f.AdminFlags.wrong()...)
	wrong = append(wrong, f.PublicFlags.wrong(f.addresses()...)...)
	if f.Shards {
		wrong = append(wrong, f.ShardFlags.wrong()...)
	}
	return refusals(wrong)
}

// addresses returns the addresses that the role listens on.
func (f *ClusteredFlags) addresses() []address {
	all := []address{
		f.AdminFlags.address(),
		{"gossip", f.Gossip, "--gossip-key", f.GossipKey != ""},
		{"link", f.Link, "--link-ca, --link-cert and --link-key", f.LinkCert != ""},
	}
	if f.Public {
		all = append(all, f.public())
	}
	return all
}

// Clustered is a process of a cluster: the role of node and gateway.
type Clustered struct {
	*server
	flags   ClusteredFlags
	name    string
	tenants []tenantFlag
	sources []source.Item

	log     *pulsar.Log
	link    *link.Link
	host    *actors.Host    // of a node
	owner   *remote.Server  // of a node: serves its dashboards to gateways
	viewer  *remote.Client  // of a gateway: reads dashboards from other processes
	door    *gateway.Server // of a gateway
	keys    *keyring        // nil: the gossip is not encrypted
	secrets [][]byte        // the cluster's keys
	members atomic.Pointer[cluster.Cluster]

	creations creations       // the tenants that are being made
	making    sync.WaitGroup  // counts their goroutines
	life      context.Context // the context of their goroutines
	endLife   context.CancelFunc

	told chan struct{}  // asks to empty the door
	work sync.WaitGroup // counts the watch, the moves, the definitions
}

// NewClustered returns the role. It does nothing before Start.
func NewClustered(p Process, f ClusteredFlags) (*Clustered, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	c := &Clustered{server: newServer(p, f.LogLevel), flags: f, name: f.Node, told: make(chan struct{}, 1)}
	var err error
	if c.name == "" {
		if c.name, err = os.Hostname(); err != nil {
			return nil, usage("node: the host has no name (%w): give one", err)
		}
	}
	if c.secrets, err = clusterKeys(f.ClusterKey, f.alone(), c.logger); err != nil {
		return nil, usage("%w", err)
	}
	c.tenants, _ = tenantsOf(f.Tenants)
	if c.sources, err = f.Sources(); err != nil {
		return nil, err
	}
	return c, nil
}

// Start starts all parts in order. If it fails, Stop ends what was started.
func (c *Clustered) Start(ctx context.Context) (err error) {
	// The addresses. Only the admin listener serves yet.
	if err = c.open(c.flags.PublicFlags, c.flags.Public, c.flags.AdminFlags, c.parts()...); err != nil {
		return err
	}

	// The link: its address is known from here on, but it is silent.
	if c.link, err = link.Listen(c.linkConfig()); err != nil {
		return err
	}
	c.onStop(c.link.Close)

	// The log, and the tenants of --tenants.
	if c.log, err = c.openLog(ctx); err != nil {
		return err
	}
	c.onStop(c.log.Close)
	c.life, c.endLife = context.WithCancel(context.Background())
	c.onStop(func() error { c.endLife(); c.making.Wait(); return nil })
	if err = c.makeTenants(ctx); err != nil {
		return err
	}
	c.health.Minor("log", c.logHealth)

	// The parts that hold shards: checkpoints, the host, and the server of its dashboards.
	table := fold.Builtin()
	if c.flags.Shards {
		if err = c.startShards(ctx, table); err != nil {
			return err
		}
	}

	// The part that reads dashboards from other processes.
	if c.flags.Public {
		if c.viewer, err = remote.NewClient(remote.ClientConfig{Directory: &directory{c: c}, Link: c.link, Logger: c.logger, Metrics: c.metrics}); err != nil {
			return err
		}
		c.onStop(func() error { c.viewer.Close(); return nil })
	}

	// The cluster: from here on this process is a member and gets shards.
	if err = c.join(ctx); err != nil {
		return err
	}

	// The door.
	if c.flags.Public {
		if err = c.startDoor(table); err != nil {
			return err
		}
	}
	c.offerOperations(c.members.Load())
	c.opened()
	return nil
}

// parts returns the names of the lines of readyz.
func (c *Clustered) parts() []string {
	parts := []string{"log"}
	if c.flags.Shards {
		parts = append(parts, "checkpoints", "shards")
	}
	parts = append(parts, "cluster")
	if c.flags.Public {
		parts = append(parts, "gateway")
		if len(c.flags.Auth.Keys) > 0 {
			parts = append(parts, "auth")
		}
		if len(c.sources) > 0 {
			parts = append(parts, "definitions")
		}
	}
	return parts
}

// startShards starts the parts that only a node has.
func (c *Clustered) startShards(ctx context.Context, table fold.Table) error {
	store, err := c.openCheckpoints(ctx)
	if err != nil {
		return err
	}
	c.onStop(store.Close)
	c.health.Minor("checkpoints", store.Err)

	if err := c.openCrashes(c.flags.Scratch, c.checkpointPrefix); err != nil {
		return err
	}

	config := c.flags.hostConfig(c.server, table)
	config.Log, config.Checkpoints, config.Crashes = c.log, store, c.crashes
	if c.host, err = actors.New(config); err != nil {
		return err
	}
	c.onStop(func() error { return within(lastSave, c.host.Stop) })
	if err := c.host.Start(ctx); err != nil {
		return err
	}

	// --flush is how often gateways ask. The messages that answer them wait for other messages,
	// too, but much shorter.
	c.owner, err = remote.NewServer(remote.ServerConfig{Feed: c.host, Room: c.host.Room, Link: c.link, Logger: c.logger, Metrics: c.metrics})
	if err != nil {
		return err
	}
	c.onStop(func() error { c.owner.Close(); return nil })
	return nil
}
