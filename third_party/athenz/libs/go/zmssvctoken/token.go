// Package zmssvctoken stands in for Athenz's package of the same name: Athenz is not built in. See
// third_party/README.md.
package zmssvctoken

import "errors"

// ErrNotBuiltIn is the answer to every call.
var ErrNotBuiltIn = errors.New("authentication to Pulsar by Athenz is not built into this binary: use a token or a certificate")

// Token is a token of a service.
type Token interface{ Value() (string, error) }

// TokenBuilder makes tokens.
type TokenBuilder interface{ Token() Token }

// NewTokenBuilder returns ErrNotBuiltIn.
func NewTokenBuilder(_, _ string, _ []byte, _ string) (TokenBuilder, error) {
	return nil, ErrNotBuiltIn
}
