package roles

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/cluster"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
)

// tenantOf returns the tenant of a shard, and the shard's partition in it.
func (c *Clustered) tenantOf(shard int) (t pulsar.Tenant, partition int, err error) {
	first := 0
	for _, t := range c.log.Tenants() {
		if shard < first+t.Partitions {
			return t, shard - first, nil
		}
		first += t.Partitions
	}
	return t, 0, fmt.Errorf("%w shard %d: there are %d", admin.ErrNoSuch, shard, first)
}

func (c *Clustered) listTenants() []admin.Tenant {
	var all []admin.Tenant
	first := 0
	for _, t := range c.log.Tenants() {
		all = append(all, admin.Tenant{Name: t.Name, First: first, Partitions: t.Partitions, LogTime: string(t.LogTime)})
		first += t.Partitions
	}
	return all
}

// creations holds the tenants that this process is making. Hundreds of partitions take a broker
// minutes. So a request only starts the work, or finds it in progress, and returns how far it is.
type creations struct {
	mu  sync.Mutex
	all map[string]*making
}

// making is the making of one tenant.
type making struct {
	tenant pulsar.Tenant
	done   chan struct{}
	err    error // set before done is closed

	mu      sync.Mutex
	trouble error // of the last try
}

const (
	maxCreations = 16
	creationWait = time.Second // how long a request waits for the end
	makingPause  = time.Second // between two tries
)

// addTenant makes a tenant and returns how far that is. Every process learns of the tenant from the
// control topic. The client repeats the request until all shards are live. A request for a tenant
// that is in progress, or whose making was interrupted, continues it.
func (c *Clustered) addTenant(members *cluster.Cluster) func(context.Context, admin.TenantRequest) (admin.TenantProgress, error) {
	return func(ctx context.Context, r admin.TenantRequest) (admin.TenantProgress, error) {
		t := pulsar.Tenant{Name: r.Name, Partitions: r.Partitions, LogTime: pulsar.LogTime(r.LogTime)}
		m, err := c.make(t)
		if err != nil {
			return admin.TenantProgress{}, err
		}
		p := admin.TenantProgress{Tenant: admin.Tenant{Name: r.Name, Partitions: r.Partitions, LogTime: r.LogTime}}
		glance := time.NewTimer(creationWait)
		defer glance.Stop()
		select {
		case <-m.done:
			c.creations.end(m)
			if m.err != nil {
				return p, m.err
			}
			p.First, p.Partitions, err = c.log.Tenant(r.Name)
			p.Live = liveOf(members, p.First, p.Partitions)
			p.Made = true
			return p, err
		case <-glance.C:
		case <-ctx.Done():
			return p, ctx.Err()
		}
		m.mu.Lock()
		if m.trouble != nil {
			p.Trouble = m.trouble.Error()
		}
		m.mu.Unlock()
		p.Topics, p.AllTopics, _ = c.log.MadeTopics(ctx, t) // the next request reports the error
		return p, nil
	}
}

// make starts to make a tenant, or finds it in progress.
func (c *Clustered) make(t pulsar.Tenant) (*making, error) {
	c.creations.mu.Lock()
	defer c.creations.mu.Unlock()
	if m := c.creations.all[t.Name]; m != nil {
		if m.tenant != t {
			return nil, fmt.Errorf("%w: tenant %s is being made with %d partitions and log time %s", admin.ErrRefused, t.Name, m.tenant.Partitions, m.tenant.LogTime)
		}
		return m, nil
	}
	if len(c.creations.all) >= maxCreations {
		return nil, fmt.Errorf("%w: %d tenants are being made, at most so many at a time", admin.ErrRefused, maxCreations)
	}
	m := &making{tenant: t, done: make(chan struct{})}
	if c.creations.all == nil {
		c.creations.all = map[string]*making{}
	}
	c.creations.all[t.Name] = m
	c.making.Go(func() {
		defer close(m.done)
		m.err = m.run(c.life, c.log)
	})
	return m, nil
}

// end forgets a making that has ended. The next request begins again, and finds what exists.
func (s *creations) end(m *making) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[m.tenant.Name] == m {
		delete(s.all, m.tenant.Name)
	}
}

// run retries until the tenant exists, or can't be made. A broker that is busy with the topics
// answers late or not at all.
func (m *making) run(ctx context.Context, log *pulsar.Log) error {
	for {
		err := log.AddTenant(ctx, m.tenant)
		if err == nil || !errors.Is(err, eventlog.ErrUnreachable) || ctx.Err() != nil {
			return err
		}
		m.mu.Lock()
		m.trouble = err
		m.mu.Unlock()
		if !eventlog.Pause(ctx, makingPause) {
			return context.Cause(ctx)
		}
	}
}

// liveOf counts the shards of a range that a node claims to be live on.
func liveOf(members *cluster.Cluster, first, n int) (live int) {
	for shard := first; shard < first+n; shard++ {
		if members.Status(shard).Serving == cluster.Live {
			live++
		}
	}
	return live
}
