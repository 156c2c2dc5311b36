package fold

import (
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/messages"
)

// The bounds of a shard: how many dashboards have a record in it. Records of further ones are refused.
const (
	MaxDashboards       = 200_000
	MaxTenantDashboards = 100_000 // of one tenant; the tenants of an embedded log share its shards
)

// RefusedDashboards is the reason of records that are refused since their dashboard would be one too many.
const RefusedDashboards = "too_many_dashboards"

// Population knows which dashboards of a shard have a record, by the hashes of their keys: two that are alike, which nobody
// will meet, would count as one. It is a function of the log: whoever begins at a checkpoint enters all that have an entry.
type Population struct {
	most, mostOfTenant int
	known              map[uint64]struct{}
	tenants            map[string]int
}

// NewPopulation is one without a dashboard, for shards that have at most so many, and of one tenant.
func NewPopulation(most, mostOfTenant int) *Population {
	return &Population{most, mostOfTenant, map[uint64]struct{}{}, map[string]int{}}
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
}

// Len is how many dashboards have a record.
func (p *Population) Len() int { return len(p.known) }

// Admit reports whether a record of the dashboard is taken: it has one already, or there is room for it.
func (p *Population) Admit(k messages.Key) bool {
	if _, ok := p.known[hashKey(k)]; ok {
		return true
	}
	if len(p.known) >= p.most || p.tenants[k.Tenant] >= p.mostOfTenant {
		return false
	}
	p.Enter(k)
	return true
}

func hashKey(k messages.Key) uint64 {
	return xxh3.HashStringSeed(k.Dashboard, xxh3.HashString(k.Tenant))
}
