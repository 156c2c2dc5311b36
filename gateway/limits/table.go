package limits

import "math"

// Limit is one line of Table.
type Limit int

// The limits. Table says what they mean.
const (
	AddressConnects Limit = iota
	AddressConnections
	AddressBodyRate
	SubjectConnections
	SubjectSubscriptions
	SubjectViewBytes
	SubjectMessages
	SubjectBytes
	TenantEvents
	TenantBytes
	TenantDashboards
	TenantSessions
	TenantDefinitions
	DashboardEvents
	DashboardViewers
	SessionSubscriptions
	SessionViewBytes
	ProcessConnections
	ProcessSessions
	ProcessMirrors
	ProcessViewBytes
	ProcessBodyBytes
	ProcessMemory
	count // of limits
)

// Scope is what a limit is counted for.
type Scope string

// The scopes. A subject is the sub of a token, of one issuer; without a token it is the address.
const (
	Address   Scope = "address"
	Subject   Scope = "subject"
	Tenant    Scope = "tenant"
	Dashboard Scope = "dashboard"
	Session   Scope = "session"
	Process   Scope = "process"
)

// Row is what Table says of a limit.
type Row struct {
	Limit   Limit
	Name    string // a tenant's limits have no prefix, all others begin with their scope
	Scope   Scope
	Unit    string
	Default float64 // None: no limit
	// of a rate: how many seconds of it a full bucket holds; 0: the limit is a cap
	Burst float64
	What  string // what is counted
	Over  string // what happens beyond the limit
}

// None is the value of a limit that limits nothing.
var None = math.Inf(1)

const (
	kib = 1 << 10
	mib = 1 << 20

	refused = "refused"
)

// Table is the one list of limits, in the order of their constants.
var Table = [count]Row{
	{AddressConnects, "address-connects", Address, "connections/s", 50, 10, "new connections; behind a trusted proxy, new WebSocket sessions", "the connection's first request is refused; of many such connections, most are closed without an answer"},
	{AddressConnections, "address-connections", Address, "connections", 4096, 0, "open connections; behind a trusted proxy, sessions. At most a quarter of process-connections", "a connection that waits for its client is closed for the new one; if none waits, the new one's first request is refused"},
	{AddressBodyRate, "address-body-rate", Address, "bytes/s", kib, 0, "the least speed at which a request's body has to come, on the average of 10 s", "the body is refused"},
	{SubjectConnections, "subject-connections", Subject, "sessions", 2000, 0, "open WebSocket sessions", refused},
	{SubjectSubscriptions, "subject-subscriptions", Subject, "subscriptions", 20_000, 0, "subscriptions of all sessions", "the subscribe is refused"},
	{SubjectViewBytes, "subject-view-bytes", Subject, "bytes", 64 * mib, 0, "memory for views that name panels or groups, of all sessions and readings", "the subscribe or reading is refused"},
	{SubjectMessages, "subject-messages", Subject, "messages/s", 500, 4, "messages that clients send over WebSockets, readings and listings", "each beyond it is answered with the error and does nothing; a session that goes on for 100 messages is closed with 4504"},
	{SubjectBytes, "subject-bytes", Subject, "bytes/s", 32 * mib, 2, "bytes sent, to sessions and for readings", "updates wait, and contain what changed meanwhile; readings are refused"},
	{TenantEvents, "events", Tenant, "events/s", 100_000, 1, "events of POST /v1/events", "the whole request is refused, and nothing of it is stored"},
	{TenantBytes, "bytes", Tenant, "bytes/s", 64 * mib, 1, "bytes of the bodies of POST /v1/events, inflated", "the whole request is refused, and nothing of it is stored"},
	{TenantDashboards, "dashboards", Tenant, "dashboards", 100_000, 0, "dashboards with a record, in each shard of the tenant; at most 100,000. Requests that come at the same moment may exceed it, and so may those that come while no node of the shard answers", "events of further dashboards are refused (too_many_dashboards), and so are their definitions (1112)"},
	{TenantSessions, "sessions", Tenant, "sessions", None, 0, "open WebSocket sessions", refused},
	{TenantDefinitions, "definitions", Tenant, "changes/s", 20, 10, "definitions put and deleted", refused},
	{DashboardEvents, "dashboard-events", Dashboard, "events/s", 50_000, 1, "events of POST /v1/events", "the whole request is refused, and nothing of it is stored"},
	{DashboardViewers, "dashboard-viewers", Dashboard, "subscriptions", None, 0, "subscriptions of all sessions", "the subscribe is refused"},
	{SessionSubscriptions, "session-subscriptions", Session, "subscriptions", 128, 0, "subscriptions of one session", "the subscribe is refused"},
	{SessionViewBytes, "session-view-bytes", Session, "bytes", 16 * mib, 0, "memory for one session's views that name panels or groups", "the subscribe is refused"},
	{ProcessConnections, "process-connections", Process, "connections", 16_384, 0, "open connections. Default: what the limit of open files (ulimit -n) allows; an eighth of that, from 96 to 2,048, stays free for the log, the cluster and the admin address", "as for address-connections"},
	{ProcessSessions, "process-sessions", Process, "sessions", 20_000, 0, "open WebSocket sessions", refused},
	{ProcessMirrors, "process-mirrors", Process, "dashboards", 100_000, 0, "dashboards of which the gateway holds a copy, because they are watched", "the subscribe or reading is refused"},
	{ProcessViewBytes, "process-view-bytes", Process, "bytes", 128 * mib, 0, "memory for all views that name panels or groups", "the subscribe or reading is refused"},
	{ProcessBodyBytes, "process-body-bytes", Process, "bytes", 64 * mib, 0, "bodies in work; one address may have half of it", "the slowest of the bodies that still come is refused"},
	{ProcessMemory, "process-memory", Process, "bytes", None, 0, "memory in use. Default: the GOMEMLIMIT of the environment, or none", "new sessions are refused from nine tenths of it on, so that the sessions that exist do not suffer"},
}

// Row returns the line of Table for l.
func (l Limit) Row() Row { return Table[l] }

// String returns the limit's name.
func (l Limit) String() string { return Table[l].Name }

func (r *Row) isRate() bool { return r.Burst > 0 }

// bytes reports whether the limit's values are bytes, which may be written with a unit.
func (r *Row) bytes() bool { return r.Unit == "bytes" || r.Unit == "bytes/s" }

// OfTenants reports whether tenants and tokens may have their own value of the limit.
func (r *Row) OfTenants() bool {
	return r.Scope == Tenant || r.Scope == Dashboard || r.Scope == Subject
}

// burst returns how much a full bucket holds at a rate.
func (r *Row) burst(perSecond float64) int {
	return int(min(max(perSecond*r.Burst, 0), 1<<40))
}
