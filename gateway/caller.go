package gateway

import (
	"cmp"
	"net/http"
	"net/netip"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// caller is the client of a request. It is made once for a request, before its handler runs. A
// session keeps the caller that opened its connection. No other code reads the client's identity
// from a request.
type caller struct {
	tenant  string     // the caller asks for this tenant only; "": the address names none
	address netip.Addr // bounds per client are counted by this address
	named   netip.Addr // client named by a trusted proxy; zero if no proxy named one
	local   bool       // the address is this machine's or a proxy's, or not known
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
	proxies Proxies // the proxies that are trusted to name the client
}

// of returns the caller of a request whose parameters are q.
func (cs callers) of(r *http.Request, q query) (caller, error) {
	c := caller{address: cs.proxies.Client(r), named: cs.proxies.named(r)}
	c.local = !c.address.IsValid() || c.address.IsLoopback() || cs.proxies.has(c.address)
	if t, ok := q["tenant"]; ok {
		if err := messages.CheckName("tenant", t); err != nil {
			return c, wire.Errorf(wire.CodeBadField, "%v", err)
		}
		c.tenant = t
	}
	return c, nil
}

// by returns whom limits are counted for.
func (c caller) by() limits.By { return limits.By{Address: c.address, Local: c.local} }

// home returns the tenant of dashboards that the caller names without a tenant.
func (c caller) home() string { return cmp.Or(c.tenant, messages.DefaultTenant) }

// key returns the key of a dashboard that the caller names, if the caller may do what it wants with
// it. tenant is the one in the caller's message; "" stands for home.
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

// may returns nil if the caller may do this with a dashboard. Every access to a dashboard calls it.
// The permission makes no difference so far: without tokens, only the tenant in the address
// restricts a caller.
func (c caller) may(_ permission, k messages.Key) error {
	if c.tenant != "" && k.Tenant != c.tenant {
		return wire.Errorf(wire.CodeUnknownDashboard, "tenant %q may not be seen here: the connection's address is for tenant %q", k.Tenant, c.tenant)
	}
	return nil
}
