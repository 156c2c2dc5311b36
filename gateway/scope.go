package gateway

import (
	"github.com/dashfeed/dashfeed/messages/wire"
)

// maySee returns nil if the caller may see a dashboard with that schema. A dashboard with a scope
// is for callers that may see all its rows: those with define, and all callers where no tokens are
// needed. It is refused to all others, also to a token that has the scope's attribute: views of a
// viewer's own rows are not available yet.
func (c caller) maySee(s wire.Schema) error {
	if c.seesAllRows() {
		return nil
	}
	for i := range s {
		if s[i].Scope != nil {
			return unseen
		}
	}
	return nil
}

// seesAllRows reports whether the caller sees all rows of dashboards with a scope.
func (c caller) seesAllRows() bool {
	return c.identity == nil || c.identity.Permissions.Has(define)
}
