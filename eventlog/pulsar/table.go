package pulsar

import (
	"fmt"
	"maps"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
	"github.com/dashfeed/dashfeed/messages"
)

// maxShards bounds the partitions of all tenants.
const maxShards = 1 << 16

// table holds all tenants at one moment, numbered in the order of the control topic: the shards
// first … first+n-1 are the partitions 0 … n-1 of a tenant's topic. A table never changes; one more
// tenant makes a new table.
type table struct {
	tenants []*tenant
	byName  map[string]*tenant
	shards  []*partition
}

type tenant struct {
	Tenant
	first     int
	keys      keyring
	announced announcedKeys
}

// partition is a partition of a tenant's topic, with the resources that this process has open for
// it.
type partition struct {
	shard  int
	tenant *tenant
	number int    // within the topic
	topic  string // of this partition

	producer lazy[*producer]
	guard    lazy[*entries.Cursor]
	release  release
	stop     stopped
}

// with returns the table with one more tenant, which gets the cluster's keys.
func (t *table) with(x Tenant, keys [][]byte) *table {
	made := &tenant{Tenant: x, first: len(t.shards), keys: newKeyring(keys, x.Name)}
	next := &table{
		tenants: append(t.tenants[:len(t.tenants):len(t.tenants)], made),
		byName:  maps.Clone(t.byName),
		shards:  t.shards[:len(t.shards):len(t.shards)],
	}
	if next.byName == nil {
		next.byName = map[string]*tenant{}
	}
	next.byName[x.Name] = made
	topic := EventsTopic(x.Name)
	for i := range x.Partitions {
		next.shards = append(next.shards, &partition{shard: made.first + i, tenant: made, number: i, topic: PartitionTopic(topic, i)})
	}
	return next
}

func (t *table) tenant(name string) (*tenant, error) {
	if x := t.byName[name]; x != nil {
		return x, nil
	}
	return nil, fmt.Errorf("%w: %q is not among the %d that were added", eventlog.ErrUnknownTenant, name, len(t.tenants))
}

func (t *table) shard(n int) (*partition, error) {
	if n < 0 || n >= len(t.shards) {
		return nil, fmt.Errorf("partition %d is not allowed: 0 to %d", n, len(t.shards)-1)
	}
	return t.shards[n], nil
}

// home returns the shard that a dashboard's records belong to.
func (t *tenant) home(k messages.Key) int {
	return t.first + eventlog.PartitionOf(k.Dashboard, t.Partitions)
}
