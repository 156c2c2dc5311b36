package gateway

import (
	"cmp"
	"net/http"
	"net/netip"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// caller is who asks. It is made once for a request, before its handler runs, and a session holds
// the one that its connection was opened by. Nothing else reads who asks out of a request.
type caller struct {
	tenant  string     // everything it asks for is this tenant's; "": its address names none
	address netip.Addr // by which its share of what is bounded per client is counted
	named   netip.Addr // that a trusted proxy named; the zero address where none did
}

// permission is what a caller wants to do with a dashboard.
type permission uint8

const (
	read permission = iota
	publish
	define
)

// callers makes the callers of requests.
type callers struct {
	proxies Proxies // whose word on the client is taken
}

// of is who asks in a request whose parameters are q.
func (cs callers) of(r *http.Request, q query) (caller, error) {
	c := caller{address: cs.proxies.Client(r), named: cs.proxies.named(r)}
	if t, ok := q["tenant"]; ok {
		if err := messages.CheckName("tenant", t); err != nil {
			return c, wire.Errorf(wire.CodeBadField, "%v", err)
		}
		c.tenant = t
	}
	return c, nil
}

// home is the tenant whose dashboards a caller names without a tenant.
func (c caller) home() string { return cmp.Or(c.tenant, messages.DefaultTenant) }

// key is the dashboard that a caller names, if the caller may do with it what it wants to. tenant
// is the one that its message names; "" stands for home.
func (c caller) key(tenant, dashboard string, do permission) (messages.Key, error) {
	k := messages.Key{Tenant: cmp.Or(tenant, c.home()), Dashboard: dashboard}
	if err := messages.CheckName("tenant", k.Tenant); err != nil {
		return k, wire.Errorf(wire.CodeBadField, "%v", err)
	}
	if err := messages.CheckName("dashboard", dashboard); err != nil {
		return k, wire.Errorf(wire.CodeBadField, "%v", err)
	}
	return k, c.may(do, k)
}

// may is nil where the caller may do this with a dashboard. Every way to a dashboard asks it. What
// is to be done makes no difference so far: without tokens, only an address binds a caller.
func (c caller) may(_ permission, k messages.Key) error {
	if c.tenant != "" && k.Tenant != c.tenant {
		return wire.Errorf(wire.CodeUnknownDashboard, "tenant %q may not be seen here: the connection's address is for tenant %q", k.Tenant, c.tenant)
	}
	return nil
}
