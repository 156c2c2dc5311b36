package roles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/actors"
	"github.com/dashfeed/dashfeed/cluster"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// offerOperations adds the operations of a cluster to the admin listener.
func (c *Clustered) offerOperations(members *cluster.Cluster) {
	c.admin.Offer(admin.Operations{
		Members: func() []admin.Member { return listMembers(members) },
		Shards:  func() []admin.ShardStatus { return c.listShards(members) },
		Owner: func(k messages.Key) (admin.Owner, error) {
			n, err := c.log.PartitionOf(k)
			if err != nil {
				return admin.Owner{}, fmt.Errorf("%w owner: %w", admin.ErrNoSuch, err)
			}
			shards := c.listShards(members)
			if n >= len(shards) {
				return admin.Owner{}, fmt.Errorf("%w shard %d yet: it was added a moment ago", admin.ErrNoSuch, n)
			}
			return admin.Owner{Tenant: k.Tenant, Dashboard: k.Dashboard, ShardStatus: shards[n]}, nil
		},
		Drain: func(member string) error { return c.drainMember(members, member) },
		Keys: func() ([]admin.Key, error) {
			if c.keys == nil {
				return nil, errPlainGossip
			}
			return c.keys.list(), nil
		},
		ChangeKey: func(do string, key []byte) error {
			if c.keys == nil {
				return errPlainGossip
			}
			return c.keys.change(do, key)
		},
		Tenants:    c.listTenants,
		Settings:   c.settings,
		HasTenant:  c.knownTenant,
		AddTenant:  c.addTenant(members),
		AcceptLoss: c.onShard((*actors.Host).AcceptLoss),
		RetryShard: c.onShard((*actors.Host).Retry),
		Refused: func(ctx context.Context, shard int) (r actors.Refused, err error) {
			err = c.onShard(func(h *actors.Host, ctx context.Context, n int) error {
				r, err = h.Refused(ctx, n)
				return withNodeHint(err, n)
			})(ctx, shard)
			return r, err
		},
	})
}

func listMembers(members *cluster.Cluster) []admin.Member {
	var all []admin.Member
	for _, m := range members.Members() {
		a := admin.Member{
			Name: m.Node, Role: m.Roles, State: "alive", Gossip: m.Gossip, Link: m.Link, Weight: m.Weight,
			Live: m.Live, Loading: m.Shards - m.Live, Since: m.Since.UTC().Format(time.RFC3339),
		}
		switch {
		case !m.Self && !m.Heard:
			a.State = "silent"
		case m.Draining:
			a.State = "draining"
		case m.Held:
			a.State = "new"
		}
		all = append(all, a)
	}
	for _, m := range members.Gone() {
		all = append(all, admin.Member{
			Name: m.Node, Role: m.Roles, State: "gone", Gossip: m.Gossip, Link: m.Link, Weight: m.Weight, Since: m.Since.UTC().Format(time.RFC3339),
		})
	}
	return all
}

func (c *Clustered) listShards(members *cluster.Cluster) []admin.ShardStatus {
	const ranked = 3
	var all []admin.ShardStatus
	for _, s := range members.Shards() {
		a := admin.ShardStatus{Shard: s.Shard, Owner: s.Source, State: s.Serving, Ranked: s.Ranking[:min(ranked, len(s.Ranking))]}
		if t, partition, err := c.tenantOf(s.Shard); err == nil {
			a.Tenant, a.Partition = t.Name, partition
		}
		for _, claim := range s.Claims {
			a.Claims = append(a.Claims, admin.Claim{Node: claim.Node, State: claim.State, Position: claim.Position.String()})
		}
		all = append(all, a)
	}
	return all
}

// drainMember asks a member to hand over its shards and sessions. The member stays, and is not
// ready, until it is stopped.
func (c *Clustered) drainMember(members *cluster.Cluster, name string) error {
	all := members.Members()
	i := slices.IndexFunc(all, func(m cluster.Member) bool { return m.Node == name })
	if i < 0 {
		return fmt.Errorf("%w member %q: cluster members lists them", admin.ErrNoSuch, name)
	}
	m := all[i]
	if isNode(m) {
		if !slices.ContainsFunc(all, func(o cluster.Member) bool { return o.Node != name && isNode(o) && !o.Draining }) {
			return fmt.Errorf("%w: %s is the only node that does not drain, and no other could serve its shards", admin.ErrRefused, name)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return members.RequestDrain(ctx, name)
	}
	if m.Self {
		c.drainDoor()
		return nil
	}
	return fmt.Errorf("%w from here: %s is a gateway, ask its own admin address", admin.ErrRefused, name)
}

// withNodeHint returns err, with a hint where to ask if this node does not hold the shard.
func withNodeHint(err error, shard int) error {
	if errors.Is(err, feed.ErrUnserved) {
		return fmt.Errorf("%w shard %d here: ask the admin address of a node that cluster shards says claims it", admin.ErrNoSuch, shard)
	}
	return err
}

// onShard returns an operation on a stopped shard of this node.
func (c *Clustered) onShard(do func(*actors.Host, context.Context, int) error) func(context.Context, int) error {
	return func(ctx context.Context, shard int) error {
		if _, _, err := c.tenantOf(shard); err != nil {
			return err
		}
		if c.host == nil {
			return fmt.Errorf("%w from here: a gateway holds no shard, ask the admin address of the node whose readyz names it", admin.ErrRefused)
		}
		return do(c.host, ctx, shard)
	}
}
