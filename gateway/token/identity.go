// Package token decides what the bearer of a token may do. A Verifier checks a token against the
// keys that the operator trusts and returns the bearer's Identity.
package token

import (
	"slices"
	"time"
)

// Identity is what a verified token says about its bearer. It never changes after it was made.
type Identity struct {
	Issuer  string
	Subject string
	ID      string    // the claim jti; "": none
	Issued  time.Time // the claim iat; zero: none, which counts as long ago
	Expires time.Time // never zero

	Tenant      string // the only tenant that the bearer may ask for
	Dashboards  Globs  // the dashboards that exist for the bearer; empty: none
	Permissions Permissions
	Attributes  map[string][]string // values of scopes; whole numbers as decimal text
	// by attribute that is no value of a scope: why; as if it were missing
	Unusable map[string]string
	Limits   map[string]float64 // by name of the limit; a lower value than the server's wins
}

// Permissions is a set of permissions.
type Permissions uint8

// The permissions of a token. A token without the claim has Read.
const (
	Read    Permissions = 1 << iota // dashboards and their data
	Publish                         // events
	Define                          // definitions, and all rows of scoped dashboards
	Admin                           // what operators do
)

// Has reports whether all permissions of q are in p.
func (p Permissions) Has(q Permissions) bool { return p&q == q }

// Attribute returns the values of an attribute. There are none if the token does not have it.
func (id *Identity) Attribute(name string) []string { return slices.Clone(id.Attributes[name]) }
