// Package ztsroletoken stands in for Athenz's package of the same name: Athenz is not built in. See
// third_party/README.md.
package ztsroletoken

import (
	"time"

	"github.com/AthenZ/athenz/libs/go/zmssvctoken"
)

// RoleToken is a token of a role.
type RoleToken interface {
	RoleTokenValue() (string, error)
	StartPrefetcher() error
	StopPrefetcher() error
}

// RoleTokenOptions has the fields that Pulsar's client sets.
type RoleTokenOptions struct {
	BaseZTSURL, ProxyURL, AuthHeader string
	MinExpire, MaxExpire             time.Duration
	PrefetchInterval                 time.Duration
	CACert                           []byte
}

// NewRoleToken returns a token whose calls return zmssvctoken.ErrNotBuiltIn.
func NewRoleToken(zmssvctoken.Token, string, RoleTokenOptions) RoleToken { return absent{} }

// NewRoleTokenFromCert returns a token whose calls return zmssvctoken.ErrNotBuiltIn.
func NewRoleTokenFromCert(_, _, _ string, _ RoleTokenOptions) RoleToken { return absent{} }

type absent struct{}

func (absent) RoleTokenValue() (string, error) { return "", zmssvctoken.ErrNotBuiltIn }
func (absent) StartPrefetcher() error          { return zmssvctoken.ErrNotBuiltIn }
func (absent) StopPrefetcher() error           { return nil }
