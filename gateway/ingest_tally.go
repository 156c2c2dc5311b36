package gateway

import (
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// tally counts the events of a request by dashboard or by tenant. Most requests have one of each,
// and need no map.
type tally[K comparable] struct {
	shares []share[K] // in the order of their first events
	index  map[K]int  // positions in shares; nil: there is at most one
	last   int        // position of the share that was asked for last
}

// share is what a request has of one dashboard or tenant.
type share[K comparable] struct {
	key           K
	events, bytes int
}

// find returns the share of k, or nil.
func (t *tally[K]) find(k K) *share[K] {
	if t.last < len(t.shares) && t.shares[t.last].key == k {
		return &t.shares[t.last]
	}
	at, ok := t.index[k]
	if !ok {
		return nil
	}
	t.last = at
	return &t.shares[at]
}

// add adds an empty share of k.
func (t *tally[K]) add(k K) *share[K] {
	if len(t.shares) > 0 && t.index == nil {
		t.index = map[K]int{t.shares[0].key: 0}
	}
	t.last = len(t.shares)
	if t.index != nil {
		t.index[k] = t.last
	}
	t.shares = append(t.shares, share[K]{key: k})
	return &t.shares[t.last]
}

// of returns the share of k, which it adds if there is none.
func (t *tally[K]) of(k K) *share[K] {
	if s := t.find(k); s != nil {
		return s
	}
	return t.add(k)
}

// empty returns an empty tally that uses the same memory again.
func (t *tally[K]) empty() tally[K] {
	clear(t.shares)
	return tally[K]{shares: t.shares[:0]}
}

// limitEvents takes the request's events and bytes from the buckets of its tenants and dashboards.
// If one of them has too little, it takes nothing, and returns the error. What is in no event of a
// body counts for the request's own tenant.
func (b *batch) limitEvents(l *limits.Limits, body int) error {
	by, rest := b.caller.by(), body
	for i := range b.dashboards.shares {
		d := &b.dashboards.shares[i]
		t := b.tenants.of(d.key.Tenant)
		t.events, t.bytes, rest = t.events+d.events, t.bytes+d.bytes, rest-d.bytes
	}
	b.tenants.of(b.caller.home()).bytes += max(0, rest)
	if err := b.checkEvents(l, &by); err != nil {
		return err
	}
	for i := range b.tenants.shares {
		t := &b.tenants.shares[i]
		l.Charge(limits.TenantEvents, &by, limits.Key{Tenant: t.key}, t.events)
		l.Charge(limits.TenantBytes, &by, limits.Key{Tenant: t.key}, t.bytes)
	}
	for i := range b.dashboards.shares {
		d := &b.dashboards.shares[i]
		l.Charge(limits.DashboardEvents, &by, limits.Key(d.key), d.events)
	}
	return nil
}

func (b *batch) checkEvents(l *limits.Limits, by *limits.By) *wire.Error {
	for i := range b.tenants.shares {
		t := &b.tenants.shares[i]
		if err := l.Check(limits.TenantEvents, by, limits.Key{Tenant: t.key}, t.events); err != nil {
			return err
		}
		if err := l.Check(limits.TenantBytes, by, limits.Key{Tenant: t.key}, t.bytes); err != nil {
			return err
		}
	}
	for i := range b.dashboards.shares {
		d := &b.dashboards.shares[i]
		if err := l.Check(limits.DashboardEvents, by, limits.Key(d.key), d.events); err != nil {
			return err
		}
	}
	return nil
}
