package event

import "github.com/dashfeed/dashfeed/messages"

// Route says where the events of one request go.
type Route struct {
	Tenant    string // from the token or ?tenant=; "": the event's own, else the default tenant
	Dashboard string // from ?dashboard=, for events that name none
}

// Key returns the dashboard that e belongs to; its strings may alias e's. The error is a *Refusal.
func (r Route) Key(e *Event) (messages.Key, error) {
	k := messages.Key{Tenant: r.Tenant, Dashboard: e.Dashboard}
	switch {
	case k.Tenant == "" && e.Tenant == "":
		k.Tenant = messages.DefaultTenant
	case k.Tenant == "":
		k.Tenant = e.Tenant
	case e.Tenant != "" && e.Tenant != k.Tenant:
		return k, refuse(ReasonWrongTenant, "the event names tenant %q, the request is for %q", shown(e.Tenant), shown(k.Tenant))
	}
	if k.Dashboard == "" {
		k.Dashboard = r.Dashboard
	}
	if k.Dashboard == "" {
		return k, refusedDashboard
	}
	return k, nil
}
