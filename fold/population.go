package fold

import (
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/messages"
)

// The bounds of a shard: how many dashboards may have a record in it. Records of further dashboards
// are refused.
const (
	MaxDashboards       = 200_000
	MaxTenantDashboards = 100_000 // of one tenant; the tenants of an embedded log share its shards
)

// RefusedDashboards is the reason of records that are refused because their dashboard would exceed
// a bound.
const RefusedDashboards = "too_many_dashboards"

// Population knows which dashboards of a shard have a record. It stores 64-bit hashes of their
// keys; two keys with the same hash, which is practically impossible, would count as one. It is a
// function of the log: a node that begins at a checkpoint enters all dashboards that have an entry
// there.
type Population struct {
	most, mostOfTenant int
	known              map[uint64]struct{}
	tenants            map[string]int
	largest            int // of tenants
	full               bool
}

// NewPopulation returns an empty Population for a shard with at most `most` dashboards, and at most
// mostOfTenant of one tenant.
func NewPopulation(most, mostOfTenant int) *Population {
	return &Population{most: most, mostOfTenant: mostOfTenant, known: map[uint64]struct{}{}, tenants: map[string]int{}}
}

// Enter adds a dashboard that has a record, regardless of the bounds.
func (p *Population) Enter(k messages.Key) {
	h := hashKey(k)
	if _, ok := p.known[h]; ok {
		return
	}
	p.known[h] = struct{}{}
	if _, ok := p.tenants[k.Tenant]; !ok {
		k.Tenant = strings.Clone(k.Tenant) // it may alias a batch
	}
	p.tenants[k.Tenant]++
	p.largest = max(p.largest, p.tenants[k.Tenant])
	p.full = p.full || len(p.known) >= p.most || p.tenants[k.Tenant] >= p.mostOfTenant
}

// Full reports whether a bound is reached, of the shard or of at least one tenant. It never becomes
// false again, because no dashboard is ever removed.
func (p *Population) Full() bool { return p.full }

// Largest returns how many dashboards the tenant has that has most of them.
func (p *Population) Largest() int { return p.largest }

// Has reports whether the dashboard has a record.
func (p *Population) Has(k messages.Key) bool {
	_, ok := p.known[hashKey(k)]
	return ok
}

// Len returns how many dashboards have a record.
func (p *Population) Len() int { return len(p.known) }

// Admit reports whether a record of the dashboard is accepted, and if so enters the dashboard.
func (p *Population) Admit(k messages.Key) bool {
	if p.Room(k) != nil {
		return false
	}
	p.Enter(k)
	return true
}

// Room returns nil if a record of the dashboard would be accepted: the dashboard has one already,
// or there is room for it. Otherwise it names the bound.
func (p *Population) Room(k messages.Key) error { return p.RoomBelow(k, p.mostOfTenant) }

// RoomBelow is like Room, where the tenant may have at most that many dashboards in the shard, if
// that is less than the bound.
func (p *Population) RoomBelow(k messages.Key, most int) error {
	if p.Has(k) {
		return nil
	}
	most = min(most, p.mostOfTenant)
	if n := len(p.known); n >= p.most {
		return fmt.Errorf("its shard has %d dashboards, and at most %d are allowed", n, p.most)
	}
	if n := p.tenants[k.Tenant]; n >= most {
		return fmt.Errorf("tenant %s has %d dashboards in its shard, and at most %d are allowed", k.Tenant, n, most)
	}
	return nil
}

func hashKey(k messages.Key) uint64 {
	return xxh3.HashStringSeed(k.Dashboard, xxh3.HashString(k.Tenant))
}
