package fold

import (
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/messages"
)

// The bounds of a shard: how many dashboards have a record in it. Records of further ones are
// refused.
const (
	MaxDashboards       = 200_000
	MaxTenantDashboards = 100_000 // of one tenant; the tenants of an embedded log share its shards
)

// RefusedDashboards is the reason of records that are refused since their dashboard would be one
// too many.
const RefusedDashboards = "too_many_dashboards"

// Population knows which dashboards of a shard have a record, by the hashes of their keys: two that
// are alike, which nobody will meet, would count as one. It is a function of the log: whoever
// begins at a checkpoint enters all that have an entry.
type Population struct {
	most, mostOfTenant int
	known              map[uint64]struct{}
	tenants            map[string]int
	full               bool
}

// NewPopulation is one without a dashboard, for shards that have at most so many, and of one
// tenant.
func NewPopulation(most, mostOfTenant int) *Population {
	return &Population{most: most, mostOfTenant: mostOfTenant, known: map[uint64]struct{}{}, tenants: map[string]int{}}
}

// Enter adds a dashboard that has a record, whatever the bounds.
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
	p.full = p.full || len(p.known) >= p.most || p.tenants[k.Tenant] >= p.mostOfTenant
}

// Full reports whether there are dashboards, of one tenant at least, that there is no room for. It
// stays so: none is taken out.
func (p *Population) Full() bool { return p.full }

// Len is how many dashboards have a record.
func (p *Population) Len() int { return len(p.known) }

// Admit reports whether a record of the dashboard is taken, and enters it then.
func (p *Population) Admit(k messages.Key) bool {
	if p.Room(k) != nil {
		return false
	}
	p.Enter(k)
	return true
}

// Room is nil where a record of the dashboard would be taken: it has one already, or there is room
// for it. Else it names the bound.
func (p *Population) Room(k messages.Key) error {
	if _, ok := p.known[hashKey(k)]; ok {
		return nil
	}
	if n := len(p.known); n >= p.most {
		return fmt.Errorf("its shard has %d dashboards, and at most %d are allowed", n, p.most)
	}
	if n := p.tenants[k.Tenant]; n >= p.mostOfTenant {
		return fmt.Errorf("tenant %s has %d dashboards in its shard, and at most %d are allowed", k.Tenant, n, p.mostOfTenant)
	}
	return nil
}

func hashKey(k messages.Key) uint64 {
	return xxh3.HashStringSeed(k.Dashboard, xxh3.HashString(k.Tenant))
}
