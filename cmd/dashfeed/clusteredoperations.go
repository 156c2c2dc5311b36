package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/actors"
	"github.com/dashfeed/dashfeed/cluster"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// offerOperations has the admin listener answer for the cluster.
func (c *clustered) offerOperations(members *cluster.Cluster) {
	c.admin.offer(operations{
		members: func() []memberAnswer { return listMembers(members) },
		shards:  func() []shardAnswer { return c.listShards(members) },
		owner: func(k messages.Key) (ownerAnswer, error) {
			n, err := c.log.PartitionOf(k)
			if err != nil {
				return ownerAnswer{}, fmt.Errorf("%w owner: %w", errNoSuch, err)
			}
			shards := c.listShards(members)
			if n >= len(shards) {
				return ownerAnswer{}, fmt.Errorf("%w shard %d yet: it was added a moment ago", errNoSuch, n)
			}
			return ownerAnswer{k.Tenant, k.Dashboard, shards[n]}, nil
		},
		drain: func(member string) error { return c.drainMember(members, member) },
		keys: func() ([]keyAnswer, error) {
			if c.keys == nil {
				return nil, errPlainGossip
			}
			return c.keys.list(), nil
		},
		changeKey: func(do string, key []byte) error {
			if c.keys == nil {
				return errPlainGossip
			}
			return c.keys.change(do, key)
		},
		tenants:    c.listTenants,
		addTenant:  c.addTenant(members),
		acceptLoss: c.onShard((*actors.Host).AcceptLoss),
		retryShard: c.onShard((*actors.Host).Retry),
		refused: func(ctx context.Context, shard int) (r actors.Refused, err error) {
			err = c.onShard(func(h *actors.Host, ctx context.Context, n int) error {
				r, err = h.Refused(ctx, n)
				return elsewhere(err, n)
			})(ctx, shard)
			return r, err
		},
	})
}

func listMembers(members *cluster.Cluster) []memberAnswer {
	var all []memberAnswer
	for _, m := range members.Members() {
		a := memberAnswer{
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
		all = append(all, memberAnswer{
			Name: m.Node, Role: m.Roles, State: "gone", Gossip: m.Gossip, Link: m.Link, Weight: m.Weight, Since: m.Since.UTC().Format(time.RFC3339),
		})
	}
	return all
}

func (c *clustered) listShards(members *cluster.Cluster) []shardAnswer {
	const ranked = 3
	var all []shardAnswer
	for _, s := range members.Shards() {
		a := shardAnswer{Shard: s.Shard, Owner: s.Source, State: s.Serving, Ranked: s.Ranking[:min(ranked, len(s.Ranking))]}
		if t, partition, err := c.tenantOf(s.Shard); err == nil {
			a.Tenant, a.Partition = t.Name, partition
		}
		for _, claim := range s.Claims {
			a.Claims = append(a.Claims, claimAnswer{claim.Node, claim.State, claim.Position.String()})
		}
		all = append(all, a)
	}
	return all
}

// drainMember has a member hand over what it has. It stays, and is not ready, until it is stopped.
func (c *clustered) drainMember(members *cluster.Cluster, name string) error {
	all := members.Members()
	i := slices.IndexFunc(all, func(m cluster.Member) bool { return m.Node == name })
	if i < 0 {
		return fmt.Errorf("%w member %q: cluster members lists them", errNoSuch, name)
	}
	m := all[i]
	if isNode(m) {
		if !slices.ContainsFunc(all, func(o cluster.Member) bool { return o.Node != name && isNode(o) && !o.Draining }) {
			return fmt.Errorf("%w: %s is the only node that does not drain: nobody would serve its shards", errRefused, name)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return members.RequestDrain(ctx, name)
	}
	if m.Self {
		c.drainDoor()
		return nil
	}
	return fmt.Errorf("%w from here: %s is a gateway, ask its own admin address", errRefused, name)
}

// elsewhere says where a shard is that is not held here.
func elsewhere(err error, shard int) error {
	if errors.Is(err, feed.ErrUnserved) {
		return fmt.Errorf("%w shard %d here: ask the admin address of a node that cluster shards says claims it", errNoSuch, shard)
	}
	return err
}

// onShard does something with a shard of this node that has stopped.
func (c *clustered) onShard(do func(*actors.Host, context.Context, int) error) func(context.Context, int) error {
	return func(ctx context.Context, shard int) error {
		if _, _, err := c.tenantOf(shard); err != nil {
			return err
		}
		if c.host == nil {
			return fmt.Errorf("%w from here: a gateway holds no shard, ask the admin address of the node whose readyz names it", errRefused)
		}
		return do(c.host, ctx, shard)
	}
}
