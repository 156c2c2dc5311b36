package gateway

import (
	"net/http"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// tenantOf is the tenant of a request, by ?tenant=; not given: the default one.
func tenantOf(r *http.Request) (string, error) {
	t := r.URL.Query().Get("tenant")
	if t == "" {
		return messages.DefaultTenant, nil
	}
	if err := messages.CheckName("tenant", t); err != nil {
		return "", wire.Errorf(wire.CodeBadField, "%v", err)
	}
	return t, nil
}

// keyOf is the dashboard that a request with {id} in its pattern names. A name that is not allowed is 1103.
func keyOf(r *http.Request) (messages.Key, error) {
	t, err := tenantOf(r)
	if err != nil {
		return messages.Key{}, err
	}
	return checkKey(t, r.PathValue("id"))
}

// checkKey checks the names of a key; "" stands for the default tenant.
func checkKey(tenant, dashboard string) (messages.Key, error) {
	if tenant == "" {
		tenant = messages.DefaultTenant
	}
	if err := messages.CheckName("tenant", tenant); err != nil {
		return messages.Key{}, wire.Errorf(wire.CodeBadField, "%v", err)
	}
	if err := messages.CheckName("dashboard", dashboard); err != nil {
		return messages.Key{}, wire.Errorf(wire.CodeBadField, "%v", err)
	}
	return messages.Key{Tenant: tenant, Dashboard: dashboard}, nil
}
