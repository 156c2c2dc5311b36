package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/maypok86/otter/v2"
)

// MaxBytes is the most that a token may have: enough for a list of 1,000 short values.
const MaxBytes = 32 << 10

// mostCached bounds the memory of verified tokens that are remembered, about.
const mostCached = 32 << 20

// Verifier checks tokens. Any goroutine may use it. Its own goroutines read the keys again; Close
// joins them.
type Verifier struct {
	parser  *jwt.Parser
	issuers map[string]*issuer // never changes
	// what was verified, by the hash of the token: a client that comes back costs no signature
	cache   *otter.Cache[[sha256.Size]byte, *verified]
	metrics *metrics
	logger  *slog.Logger

	stop context.CancelFunc
	work sync.WaitGroup // the goroutines that read keys again
}

// verified is a token that was accepted. It counts as long as its issuer has the same keys.
type verified struct {
	identity *Identity
	issuer   *issuer
	keys     *keySet
	bytes    int // of the token
}

// issuer is an entry of the configuration with its keys.
type issuer struct {
	Key
	keys    atomic.Pointer[keySet]
	host    *keyHost // of a JWKS; nil: there is none
	content []byte   // that the keys were read from; only the goroutine that reads them uses it
	trouble atomic.Pointer[error]
}

// NewVerifier reads the keys of all entries. Its error names every problem; see Problems. The keys
// of a JWKS are fetched in the background, so that a server starts while their host is away.
func NewVerifier(c Config) (*Verifier, error) {
	return newVerifierOver(c, (&net.Dialer{Timeout: fetchTimeout}).DialContext)
}

// dialer opens the connections to hosts of keys.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func newVerifierOver(c Config, dial dialer) (*Verifier, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	v := &Verifier{
		parser:  jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding()),
		issuers: map[string]*issuer{}, metrics: newMetrics(c.Registerer), logger: c.Logger,
		cache: otter.Must(&otter.Options[[sha256.Size]byte, *verified]{
			MaximumWeight: mostCached,
			// an identity takes about as much as its text, and both have some fixed parts
			Weigher:  func(_ [sha256.Size]byte, v *verified) uint32 { return uint32(1024 + 2*v.bytes) },
			Executor: func(task func()) { task() },
		}),
	}
	var errs []error
	for i, k := range c.Keys {
		is := &issuer{Key: k.withDefaults()}
		if k.JWKS != "" {
			is.host = newKeyHost(is.Key, dial)
		} else if err := is.readAgain(); err != nil {
			errs = append(errs, &Problem{i, k.source(), err})
		}
		v.issuers[k.Issuer] = is
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	v.stop = cancel
	v.work.Go(func() { v.followFiles(ctx) })
	for _, is := range v.issuers {
		if is.host != nil {
			v.work.Go(func() { v.follow(ctx, is) })
		}
	}
	return v, nil
}

// source returns the name of the field that says where the keys are.
func (k Key) source() string {
	switch {
	case k.JWKS != "":
		return "jwks"
	case k.Secret != "":
		return "secret"
	}
	return "file"
}

// Close ends the goroutines.
func (v *Verifier) Close() {
	v.stop()
	v.work.Wait()
}

// Verify returns what a token says of its bearer. Its error is an *Error. It waits only for keys
// that are fetched, and not longer than a few seconds.
func (v *Verifier) Verify(ctx context.Context, token string) (*Identity, error) {
	id, err := v.verify(ctx, token, time.Now())
	v.metrics.count(err)
	return id, err
}

func (v *Verifier) verify(ctx context.Context, text string, now time.Time) (*Identity, error) {
	if len(text) > MaxBytes {
		return nil, refuse(TooBig, "the token has %d bytes, at most %d are allowed", len(text), MaxBytes)
	}
	sum := sha256.Sum256([]byte(text))
	if known, found := v.cache.GetIfPresent(sum); found {
		if keys, err := known.issuer.current(now); err == nil && keys == known.keys {
			if !now.Before(known.identity.Expires) {
				return nil, expired(known.identity.Expires)
			}
			v.metrics.cached.Inc()
			return known.identity, nil
		}
	}
	var said claims
	var is *issuer
	var keys *keySet
	_, err := v.parser.ParseWithClaims(text, &said, func(t *jwt.Token) (any, error) {
		var err error
		if is, err = v.issuerOf(said); err != nil {
			return nil, err
		}
		var values []jwt.VerificationKey
		values, keys, err = is.keysOf(ctx, t)
		return jwt.VerificationKeySet{Keys: values}, err
	})
	if err != nil {
		return nil, inWords(err)
	}
	id, err := is.judge(said, now)
	if err != nil {
		return nil, err
	}
	v.cache.Set(sum, &verified{id, is, keys, len(text)})
	return id, nil
}

// inWords returns the parser's error as one of ours: the parser's may contain parts of the token.
func inWords(err error) error {
	var ours *Error
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuse(Malformed, "this is not a token (a JSON Web Token in compact form)")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return refuse(Signature, "the token was not signed by its issuer's key, or was changed afterwards")
	}
	return refuse(Algorithm, "the token names no algorithm that is known here")
}

// issuerOf returns the entry of the issuer that the claims name.
func (v *Verifier) issuerOf(c claims) (*issuer, error) {
	name, err := c.text("iss")
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, refuse(Issuer, "the token does not say who issued it (iss)")
	}
	is, found := v.issuers[name]
	if !found {
		return nil, refuse(Issuer, "the token's issuer (iss) is not trusted here")
	}
	return is, nil
}

// keysOf returns the keys that may have signed a token, and the set that they are from.
func (is *issuer) keysOf(ctx context.Context, t *jwt.Token) (values []jwt.VerificationKey, keys *keySet, err error) {
	if _, found := t.Header["crit"]; found {
		return nil, nil, refuse(Malformed, "the token's header asks for extensions (crit), none is known here")
	}
	kid, ok := "", true
	if raw, found := t.Header["kid"]; found {
		if kid, ok = raw.(string); !ok || kid == "" || len(kid) > mostTextBytes {
			return nil, nil, refuse(Malformed, "the key's id (kid) in the token's header is no text of 1 to %d bytes", mostTextBytes)
		}
	}
	algorithm := t.Method.Alg()
	if is.host != nil && is.keys.Load() == nil {
		is.host.ask(ctx, true)
	}
	if keys, err = is.current(time.Now()); err != nil {
		return nil, nil, err
	}
	values, other := keys.fitting(kid, algorithm)
	if len(values) == 0 && !other && is.host != nil && is.host.ask(ctx, false) {
		if keys, err = is.current(time.Now()); err != nil {
			return nil, nil, err
		}
		values, other = keys.fitting(kid, algorithm)
	}
	switch {
	case len(values) > 0:
		return values, keys, nil
	case other:
		return nil, nil, refuse(Algorithm, "the token is signed with an algorithm that its issuer's key is not for")
	}
	return nil, nil, refuse(UnknownKey, "the token's issuer has no key with this id (kid)")
}

// current returns the keys of the issuer that count now.
func (is *issuer) current(now time.Time) (*keySet, error) {
	keys := is.keys.Load()
	switch {
	case keys == nil:
		return nil, refuse(Unreachable, "the issuer's keys could not be fetched yet")
	case is.host != nil && is.host.outdated(now):
		return nil, refuse(Unreachable, "the issuer's keys can't be fetched, and those of before are too old")
	}
	return keys, nil
}

// Trouble returns which keys can't be read at the moment. The keys of before are used meanwhile.
func (v *Verifier) Trouble() error {
	var errs []error
	for _, is := range v.issuers {
		if err := is.trouble.Load(); err != nil && *err != nil {
			errs = append(errs, fmt.Errorf("keys of %s: %w", is.Issuer, *err))
		}
	}
	return errors.Join(errs...)
}
