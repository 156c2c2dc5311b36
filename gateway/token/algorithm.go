package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// curves names the curve of each algorithm that needs one.
var curves = map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}

// algorithms lists what `algorithms` may name. There is no "none".
var algorithms = []string{
	"ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512",
	"PS256", "PS384", "PS512", "RS256", "RS384", "RS512",
}

// The sizes that keys may have. With a longer RSA key each check would take too much time.
const (
	leastSecretBytes = 32
	leastRSABits     = 2048
	mostRSABits      = 8192
)

// symmetric reports whether the algorithm signs with a secret.
func symmetric(algorithm string) bool { return strings.HasPrefix(algorithm, "HS") }

// key is one key that verifies signatures.
type key struct {
	id         string   // kid; "": it has none
	algorithms []string // with which the key may be used: never what a token says
	value      any      // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey; []byte is a secret
}

// newKey returns the key for those of the algorithms that fit it. It fails if none does, or if the
// key is weak.
func newKey(id string, value any, algorithms []string) (key, error) {
	k := key{id: id, value: value}
	var kind string
	var fits func(algorithm string) bool
	switch v := value.(type) {
	case []byte:
		if len(v) < leastSecretBytes {
			return key{}, fmt.Errorf("the secret has %d bytes, at least %d are needed", len(v), leastSecretBytes)
		}
		kind, fits = "a secret", symmetric
	case *rsa.PublicKey:
		if bits := v.N.BitLen(); bits < leastRSABits || bits > mostRSABits {
			return key{}, fmt.Errorf("the RSA key has %d bits, allowed are %d to %d", bits, leastRSABits, mostRSABits)
		}
		kind, fits = "an RSA key", func(a string) bool { return strings.HasPrefix(a, "RS") || strings.HasPrefix(a, "PS") }
	case *ecdsa.PublicKey:
		curve := v.Curve.Params().Name
		kind, fits = "a key on "+curve, func(a string) bool { return curves[a] == curve }
	case ed25519.PublicKey:
		kind, fits = "an Ed25519 key", func(a string) bool { return a == "EdDSA" }
	default:
		return key{}, fmt.Errorf("a key of type %T can't verify signatures", value)
	}
	for _, a := range algorithms {
		if fits(a) {
			k.algorithms = append(k.algorithms, a)
		}
	}
	if len(k.algorithms) == 0 {
		return key{}, fmt.Errorf("%s does not sign with %s", kind, strings.Join(algorithms, ", "))
	}
	return k, nil
}

// keySet is the keys of one issuer at one time. It never changes.
type keySet struct{ keys []key }

// mostTries bounds how many keys one token is tried with.
const mostTries = 16

// fitting returns the keys that may have signed a token with this kid ("": it names none) and
// algorithm.
func (s *keySet) fitting(kid, algorithm string) (values []jwt.VerificationKey, otherAlgorithm bool) {
	for _, k := range s.keys {
		if kid != "" && k.id != "" && k.id != kid {
			continue
		}
		if !slices.Contains(k.algorithms, algorithm) {
			otherAlgorithm = true
			continue
		}
		if values = append(values, k.value); len(values) == mostTries {
			break
		}
	}
	return values, otherAlgorithm
}
