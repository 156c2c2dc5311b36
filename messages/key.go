package messages

import (
	"fmt"
	"strings"
)

// DefaultTenant is the tenant of a request or event that names none.
const DefaultTenant = "default"

// MaxNameBytes is the greatest length of a tenant or dashboard name.
const MaxNameBytes = 128

// Key names a dashboard. An empty Dashboard means the whole tenant (its default definition).
type Key struct {
	Tenant    string
	Dashboard string
}

// String returns tenant/dashboard, the message key on a shared topic.
func (k Key) String() string { return k.Tenant + "/" + k.Dashboard }

// Label returns the value of the metric label dashboard_id: the bare name for the default tenant,
// else tenant/dashboard.
func (k Key) Label() string {
	if k.Tenant == DefaultTenant {
		return k.Dashboard
	}
	return k.String()
}

// Compare orders keys by tenant, then by dashboard, bytewise.
func (k Key) Compare(o Key) int {
	if c := strings.Compare(k.Tenant, o.Tenant); c != 0 {
		return c
	}
	return strings.Compare(k.Dashboard, o.Dashboard)
}

// Valid reports whether both names are allowed.
func (k Key) Valid() bool { return ValidName(k.Tenant) && ValidName(k.Dashboard) }

// ValidName reports whether s may name a tenant or a dashboard: 1-128 bytes of A-Z a-z 0-9 . _ ~ :
// -, beginning with a letter or digit.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxNameBytes || !alphanumeric(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !alphanumeric(s[i]) && !strings.ContainsRune("._~:-", rune(s[i])) {
			return false
		}
	}
	return true
}

// CheckName is ValidName with an error that says what was given and what is allowed. what is
// "tenant" or "dashboard".
func CheckName(what, s string) error {
	if ValidName(s) {
		return nil
	}
	const shown = 40
	if len(s) > shown {
		s = s[:shown] + "…"
	}
	return fmt.Errorf("%s name %q is not allowed: 1-%d bytes of A-Z a-z 0-9 . _ ~ : -, beginning with a letter or digit", what, s, MaxNameBytes)
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
