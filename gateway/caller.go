package gateway

import (
	"cmp"
	"encoding/hex"
	"hash/maphash"
	"net/netip"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/gateway/token"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// caller is the client of a request. It is made once for a request, before its handler runs. A
// session keeps the caller that opened its connection, until a token makes another one. No other
// code reads the client's identity from a request.
type caller struct {
	tenant  string     // the caller asks for this tenant only; "": the address names none
	address netip.Addr // bounds per client are counted by this address
	named   netip.Addr // client named by a trusted proxy; zero if no proxy named one
	local   bool       // the address is this machine's or a proxy's, or not known

	identity *token.Identity // what the caller's token says; nil: none is needed, or unknown is set
	lower    *limits.Values  // limits of the identity
	unknown  bool            // a token is needed and has not come yet: nothing is allowed
}

// permission is what a caller wants to do with a dashboard.
type permission = token.Permissions

const (
	read    = token.Read
	publish = token.Publish
	define  = token.Define
)

// unseen is the answer for a dashboard that does not exist, and for one that the caller may not
// see. Nothing in it tells them apart.
var unseen = wire.Errorf(wire.CodeUnknownDashboard, "there is no such dashboard, or it may not be seen")

// by returns whom limits are counted for.
func (c caller) by() limits.By {
	by := limits.By{Address: c.address, Local: c.local}
	if c.identity != nil {
		by.Issuer, by.Subject, by.Lower = c.identity.Issuer, c.identity.Subject, *c.lower
	}
	return by
}

// home returns the tenant of dashboards that the caller names without a tenant.
func (c caller) home() string {
	if c.tenant == "" && c.identity != nil {
		return c.identity.Tenant
	}
	return cmp.Or(c.tenant, messages.DefaultTenant)
}

// as returns the caller with an identity.
func (c caller) as(id *token.Identity) (caller, error) {
	lower, err := limits.Lowered(id.Limits)
	if err != nil {
		return c, wire.Errorf(wire.CodeUnauthorized, "the token's limits: %v", err)
	}
	c.identity, c.lower, c.unknown = id, &lower, false
	return c, nil
}

// bound returns the only tenant that the caller's events may have; "": any.
func (c caller) bound() string {
	if c.identity != nil {
		return c.identity.Tenant
	}
	return c.tenant
}

// key returns the key of a dashboard that the caller names, if the caller may do what it wants with
// it. tenant is the one in the caller's message; "" stands for home.
//
// If the caller has a token and must not learn whether the dashboard exists, reading gets the key
// of one that does not. All that follows is then done for that key, and takes the same time.
func (c caller) key(tenant, dashboard string, do permission) (messages.Key, error) {
	k := messages.Key{Tenant: cmp.Or(tenant, c.home()), Dashboard: dashboard}
	if err := checkTenant(k.Tenant); err != nil {
		return k, wire.Errorf(wire.CodeBadField, "%v", err)
	}
	if err := messages.CheckName("dashboard", dashboard); err != nil {
		return k, wire.Errorf(wire.CodeBadField, "%v", err)
	}
	err := c.may(do, k)
	if err == unseen && do == read {
		return c.nowhere(k), nil
	}
	return k, err
}

// may returns nil if the caller may do this with a dashboard. Every access to a dashboard calls it.
func (c caller) may(do permission, k messages.Key) error {
	if c.unknown {
		return wire.Errorf(wire.CodeUnauthorized, "a token is needed first: send {\"type\":\"connect\",\"token\":…}")
	}
	if ofSystem(k.Tenant) && do != read {
		return wire.Errorf(wire.CodeForbidden, "tenant %q is the system's own: it can be read only", k.Tenant)
	}
	id := c.identity
	if id == nil {
		if c.tenant != "" && k.Tenant != c.tenant {
			return wire.Errorf(wire.CodeUnknownDashboard, "tenant %q may not be seen here: the connection's address is for tenant %q", k.Tenant, c.tenant)
		}
		return nil
	}
	if !c.reaches(k.Tenant) || !id.Dashboards.Match(k.Dashboard) {
		return unseen
	}
	if !id.Permissions.Has(do) {
		return wire.Errorf(wire.CodeForbidden, "the token does not permit to %s", wordOf(do))
	}
	return nil
}

// reaches reports whether the tenant is one that the caller may ask for. The system's own tenants
// are for tokens with admin, whatever their tenant.
func (c caller) reaches(tenant string) bool {
	switch {
	case c.tenant != "" && tenant != c.tenant:
		return false
	case c.identity == nil:
		return true
	case ofSystem(tenant):
		return c.identity.Permissions.Has(token.Admin)
	}
	return tenant == c.identity.Tenant
}

// mayFind returns nil if a dashboard exists as far as the caller may know. blank says that it has
// no record. Without tokens, such a dashboard can be watched.
func (c caller) mayFind(blank bool) error {
	if blank && c.identity != nil {
		return unseen
	}
	return nil
}

// valid returns nil unless the caller's token has expired.
func (c caller) valid(now time.Time) error {
	if c.identity != nil && !now.Before(c.identity.Expires) {
		return wire.Errorf(wire.CodeUnauthorized, "the token has expired")
	}
	return nil
}

// nowhereSeeds make names that nobody can guess, and so nobody can publish to.
var nowhereSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// nowhere returns the key of a dashboard that does not exist, always the same one for k.
func (c caller) nowhere(k messages.Key) messages.Key {
	name := []byte("x")
	for _, seed := range nowhereSeeds {
		var b [8]byte
		sum := maphash.Comparable(seed, k)
		for i := range b {
			b[i] = byte(sum >> (8 * i))
		}
		name = hex.AppendEncode(name, b[:])
	}
	return messages.Key{Tenant: c.identity.Tenant, Dashboard: string(name)}
}

func wordOf(p permission) string {
	switch p {
	case read:
		return "read"
	case publish:
		return "publish"
	case define:
		return "define"
	}
	return "admin"
}

// ofSystem reports whether a tenant is the system's own.
func ofSystem(tenant string) bool { return strings.HasPrefix(tenant, "_") }

// checkTenant checks the name of a tenant, which may be the system's own.
func checkTenant(name string) error {
	if ofSystem(name) && messages.ValidName(name[1:]) {
		return nil
	}
	return messages.CheckName("tenant", name)
}

// mayPublish returns nil if the caller may publish at all, in the tenant that it asks for.
func (c caller) mayPublish() error {
	if c.identity == nil {
		return nil
	}
	if !c.reaches(c.home()) {
		return unseen
	}
	if !c.identity.Permissions.Has(publish) {
		return wire.Errorf(wire.CodeForbidden, "the token does not permit to publish")
	}
	return nil
}
