package roles

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/cluster"
	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/keys"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// join makes this process a member. When it stops, it hands its shards over and leaves.
func (c *Clustered) join(ctx context.Context) error {
	keys, err := keys.Gossip(c.flags.GossipKey)
	if err != nil {
		return usageOf(err)
	}
	config := cluster.Config{
		Name: c.name, Cluster: c.flags.Cluster,
		Bind: c.flags.Gossip, Advertise: c.flags.GossipAdvertise, Seeds: c.flags.Join, Preset: cluster.Preset(c.flags.GossipPreset),
		Weight: c.flags.Weight, Replicas: c.flags.Replicas,
		Partitions: c.log.Partitions, Link: c.link, Logger: c.logger, Metrics: c.metrics,
	}
	if len(keys) > 0 {
		if c.keys, err = newKeyring(keys); err != nil {
			return usageOf(err)
		}
		config.Keys = c.keys.keys
	}
	if c.flags.Shards {
		config.Roles, config.Shards = config.Roles|cluster.NodeRole, c.host
	}
	if c.flags.Public {
		config.Roles |= cluster.GatewayRole
	}
	members, err := cluster.Start(ctx, config)
	if err != nil {
		return err
	}
	c.members.Store(members)
	c.onStop(func() error { return c.leave(members) })
	c.health.Of("cluster", func() error { return c.clusterHealth(members) })
	if c.host != nil {
		c.health.Of("shards", func() error { return c.shardsHealth(members) })
	}
	return nil
}

// leave hands over the shards of this process, within the time of --drain and if a node can take
// them, and leaves the cluster.
func (c *Clustered) leave(members *cluster.Cluster) error {
	if c.flags.Shards && c.flags.Drain > 0 && c.others(members) {
		c.logger.Info("handing over", "within", c.flags.Drain)
		if err := within(c.flags.Drain, members.Drain); err != nil {
			c.logger.Warn("not every shard was handed over: other nodes load the rest as after a crash", "error", err)
		}
	}
	return within(time.Second, members.Close)
}

// others reports whether another node could take a shard.
func (c *Clustered) others(members *cluster.Cluster) bool {
	return slices.ContainsFunc(members.Members(), func(m cluster.Member) bool {
		return !m.Self && m.Heard && !m.Draining && isNode(m)
	})
}

func isNode(m cluster.Member) bool { return m.Roles != cluster.GatewayRole.String() }

func (c *Clustered) clusterHealth(members *cluster.Cluster) error {
	if err := members.Err(); err != nil {
		return err
	}
	select {
	case <-members.Draining():
		return errors.New("this node drains: it was asked to hand over its shards")
	default:
		return nil
	}
}

// shardsHealth makes the process unready until its first shards are assigned and loaded. From then
// on it only reports which shards have failed or are in trouble: other nodes may serve them, and
// one tenant's shard must not take a node that serves the rest out of service, nor stop a rolling
// update.
func (c *Clustered) shardsHealth(members *cluster.Cluster) error {
	if err := members.Settled(); err != nil {
		return errors.Join(err, c.host.Troubles())
	}
	return admin.NoticeOf(c.host.Troubles())
}

// followMoves notifies the viewer, and the door's views, when shards move, until ctx ends.
func (c *Clustered) followMoves(ctx context.Context, members *cluster.Cluster) {
	for {
		changed := members.Changed()
		c.viewer.Moved()
		c.door.Moved()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// directory tells the viewer where to read a dashboard: the log names its shard, the cluster the
// node that serves it. The viewer may ask before this process is a member; then no node is heard.
type directory struct {
	c     *Clustered
	heard atomic.Int64 // unix ns
}

var _ remote.Directory = (*directory)(nil)

func (d *directory) PartitionOf(k messages.Key) (int, error) { return d.c.log.PartitionOf(k) }

func (d *directory) Tenant(name string) (first, n int, err error) { return d.c.log.Tenant(name) }

func (d *directory) Source(shard int) (link.Peer, bool) {
	members := d.c.members.Load()
	if members == nil {
		return link.Peer{}, false
	}
	return members.Source(shard)
}

func (d *directory) Status(shard int) feed.Status {
	members := d.c.members.Load()
	if members == nil {
		return feed.Status{State: wire.StateStale}
	}
	switch s := members.Status(shard); s.Serving {
	case cluster.Live:
		return feed.Status{State: wire.StateLive}
	case cluster.Loading:
		return feed.Status{State: wire.StateMoving, Since: s.Since}
	default:
		return feed.Status{State: wire.StateStale, Since: s.Since}
	}
}

func (d *directory) Heard() time.Time {
	members := d.c.members.Load()
	if members == nil {
		return time.Time{}
	}
	if slices.ContainsFunc(members.Members(), func(m cluster.Member) bool { return isNode(m) && (m.Self || m.Heard) }) {
		now := time.Now()
		d.heard.Store(now.UnixNano())
		return now
	}
	if ns := d.heard.Load(); ns > 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// linkConfig returns the configuration of the link.
func (c *Clustered) linkConfig() link.Config {
	return link.Config{
		Node: c.name, Cluster: c.flags.Cluster, Bind: c.flags.Link, Advertise: c.flags.LinkAdvertise,
		TLS:    link.TLS{CA: c.flags.LinkCA, Cert: c.flags.LinkCert, Key: c.flags.LinkKey},
		Logger: c.logger, Metrics: c.metrics,
	}
}
