package token

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/messages"
)

// Config lists whose tokens are trusted.
type Config struct {
	Keys []Key // one entry for each issuer; at least one

	Registerer prometheus.Registerer // nil: metrics are counted and not exported
	Logger     *slog.Logger          // nil: slog.Default
}

// Key says how the tokens of one issuer are verified, and how their claims are read. Exactly one of
// JWKS, Files and Secret is given.
type Key struct {
	Issuer     string   // the claim iss of its tokens
	Audience   []string // a token must be for one of these
	Algorithms []string // with which its keys sign

	JWKS string // URL of a JSON Web Key Set
	// Paths of PEM files with public keys or certificates; with HS…: of files whose bytes are the
	// secret. A path may contain * for any run of characters.
	Files  []string
	Secret string // name of an environment variable with the secret

	Tenant string // the tenant of all its tokens; "": the claim says
	Claims Claims // names of the claims

	// How long known keys are used while the host of JWKS can't be reached. 0: 1 h, negative: not.
	JWKSGrace time.Duration
}

// Claims holds the names of claims. "" stands for the name in the comment.
type Claims struct {
	Subject     string // sub
	Tenant      string // tenant
	Dashboards  string // dashboards
	Permissions string // permissions
	Attributes  string // attributes
	Limits      string // limits
}

// Problem is what is wrong with one field of one entry.
type Problem struct {
	Entry int    // index in Config.Keys
	Field string // as in the configuration file: issuer, file, …
	Err   error
}

func (p *Problem) Error() string {
	return fmt.Sprintf("auth.keys[%d].%s: %v", p.Entry, p.Field, p.Err)
}

func (p *Problem) Unwrap() error { return p.Err }

// Problems returns the problems that an error of NewVerifier names.
func Problems(err error) (all []*Problem) {
	var one *Problem
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, Problems(e)...)
		}
	} else if errors.As(err, &one) {
		all = append(all, one)
	}
	return all
}

// Check returns an error that names every problem; see Problems. It reads files and the
// environment, and does not use the network.
func (c Config) Check() error {
	if err := c.check(); err != nil {
		return err
	}
	var errs []error
	for i, k := range c.Keys {
		if k.JWKS != "" {
			continue
		}
		if _, _, err := k.readStatic(); err != nil {
			errs = append(errs, &Problem{i, k.source(), err})
		}
	}
	return errors.Join(errs...)
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// withDefaults returns k with every zero replaced by its default.
func (k Key) withDefaults() Key {
	set(&k.Claims.Subject, "sub")
	set(&k.Claims.Tenant, "tenant")
	set(&k.Claims.Dashboards, "dashboards")
	set(&k.Claims.Permissions, "permissions")
	set(&k.Claims.Attributes, "attributes")
	set(&k.Claims.Limits, "limits")
	set(&k.JWKSGrace, time.Hour)
	k.JWKSGrace = max(0, k.JWKSGrace)
	return k
}

// check returns what is wrong with the entries, without a look at files and the network.
func (c Config) check() error {
	if len(c.Keys) == 0 {
		return errors.New("auth.keys is empty: list the issuers whose tokens are trusted")
	}
	var errs []error
	first := map[string]int{}
	for i, k := range c.Keys {
		wrong := func(field, format string, args ...any) {
			errs = append(errs, &Problem{i, field, fmt.Errorf(format, args...)})
		}
		if other, twice := first[k.Issuer]; twice {
			wrong("issuer", "%q has an entry already, auth.keys[%d]: one entry may list several files, for the time of a rotation", k.Issuer, other)
		} else {
			first[k.Issuer] = i
		}
		k.check(wrong)
	}
	return errors.Join(errs...)
}

// check calls wrong for everything that is wrong with the entry itself.
func (k Key) check(wrong func(field, format string, args ...any)) {
	if k.Issuer == "" {
		wrong("issuer", "it is missing: the claim iss of the tokens")
	}
	if len(k.Audience) == 0 || slices.Contains(k.Audience, "") {
		wrong("audience", "it is missing: without one, a token that the issuer made for another service would be accepted")
	}
	k.checkAlgorithms(wrong)
	given := 0
	for _, there := range []bool{k.JWKS != "", len(k.Files) > 0, k.Secret != ""} {
		if there {
			given++
		}
	}
	if given != 1 {
		wrong("issuer", "the entry of %q has %d of jwks, file and secret: give exactly one", k.Issuer, given)
	}
	if k.JWKS != "" {
		if err := checkURL(k.JWKS); err != nil {
			wrong("jwks", "%w", err)
		}
	}
	if k.Tenant != "" {
		if err := messages.CheckName("tenant", k.Tenant); err != nil {
			wrong("tenant", "%w", err)
		}
	}
}

func (k Key) checkAlgorithms(wrong func(field, format string, args ...any)) {
	if len(k.Algorithms) == 0 {
		wrong("algorithms", "it is missing: list what the issuer signs with, of %s", strings.Join(algorithms, ", "))
	}
	secrets := 0
	for _, a := range k.Algorithms {
		if !slices.Contains(algorithms, a) {
			wrong("algorithms", "%q is not allowed: one of %s", a, strings.Join(algorithms, ", "))
		}
		if symmetric(a) {
			secrets++
		}
	}
	switch {
	case secrets > 0 && secrets < len(k.Algorithms):
		wrong("algorithms", "%s: a key is a secret (HS…) or public (the others), never both", strings.Join(k.Algorithms, ", "))
	case secrets > 0 && k.JWKS != "":
		wrong("algorithms", "%s signs with a secret, and a key set is public", k.Algorithms[0])
	case secrets == 0 && k.Secret != "" && len(k.Algorithms) > 0:
		wrong("algorithms", "%s does not sign with a secret: give HS256, HS384 or HS512", k.Algorithms[0])
	}
}

// checkURL returns an error unless keys may be fetched from there: over TLS, or from this machine.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%q is no URL: want https://HOST/PATH", text)
	}
	return allowedURL(u)
}

func allowedURL(u *url.URL) error {
	host := u.Hostname()
	ip := net.ParseIP(host)
	local := strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
	if u.Scheme == "https" || u.Scheme == "http" && local {
		return nil
	}
	return fmt.Errorf("%q is not allowed: keys are fetched by https, or by http from this machine", u.Redacted())
}
