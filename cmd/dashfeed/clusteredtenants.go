package main

import (
	"context"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog/pulsar"
)

// tenantOf is whose a shard is, and which of its partitions.
func (c *clustered) tenantOf(shard int) (t pulsar.Tenant, partition int, err error) {
	first := 0
	for _, t := range c.log.Tenants() {
		if shard < first+t.Partitions {
			return t, shard - first, nil
		}
		first += t.Partitions
	}
	return t, 0, fmt.Errorf("%w shard %d: there are %d", errNoSuch, shard, first)
}

func (c *clustered) listTenants() []tenantAnswer {
	var all []tenantAnswer
	first := 0
	for _, t := range c.log.Tenants() {
		all = append(all, tenantAnswer{Name: t.Name, First: first, Partitions: t.Partitions, LogTime: string(t.LogTime)})
		first += t.Partitions
	}
	return all
}

// addTenant makes a tenant; every process learns of it from the control topic.
func (c *clustered) addTenant(ctx context.Context, r tenantRequest) (tenantAnswer, error) {
	t := pulsar.Tenant{Name: r.Name, Partitions: r.Partitions, LogTime: pulsar.LogTime(r.LogTime)}
	if err := c.log.AddTenant(ctx, t); err != nil {
		return tenantAnswer{}, err
	}
	first, n, err := c.log.Tenant(r.Name)
	return tenantAnswer{Name: r.Name, First: first, Partitions: n, LogTime: r.LogTime}, err
}
