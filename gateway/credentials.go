package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/gateway/token"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// sessionCookie is the name of the cookie that carries a token.
const sessionCookie = "dashfeed_session"

// bearerProtocol is what a subprotocol begins with that carries a token. It is never echoed.
const bearerProtocol = "dashfeed.bearer."

// access says whether a route needs a token, if the gateway verifies tokens.
type access uint8

const (
	needsToken access = iota
	tokenLater        // a session that begins without one gets it by the message connect
	noToken           // the route looks at no token
)

// callers makes the callers of requests.
type callers struct {
	proxies Proxies                    // the proxies that are trusted to name the client
	tokens  *token.Verifier            // nil: callers have no identity and need none
	revoked func(*token.Identity) bool // nil: none is
	cutOff  func() error               // why revocations may not be known; nil: they are
	open    bool                       // a request without token is let in
	tickets *tickets
}

// of returns the caller of a request whose parameters are q.
func (cs callers) of(r *http.Request, q query, needs access) (caller, error) {
	c := caller{address: cs.proxies.Client(r), named: cs.proxies.named(r)}
	c.local = !c.address.IsValid() || c.address.IsLoopback() || cs.proxies.has(c.address)
	if t, ok := q["tenant"]; ok {
		if err := checkTenant(t); err != nil {
			return c, wire.Errorf(wire.CodeBadField, "%v", err)
		}
		c.tenant = t
	}
	if cs.tokens == nil || needs == noToken {
		return c, nil
	}
	id, err := cs.identify(r, q)
	switch {
	case err != nil, id == nil && cs.open:
	case id != nil:
		return c.as(id)
	case needs == tokenLater:
		c.unknown = true
	default:
		err = wire.Errorf(wire.CodeUnauthorized, "a token is needed: in the header Authorization: Bearer, in a subprotocol %s…, in the cookie %s, or a ticket of POST /v1/tickets", bearerProtocol, sessionCookie)
	}
	return c, err
}

// identify returns the identity by the first place of the request that has a token; nil: none has.
// A bad token there is an error, whatever the other places have.
func (cs callers) identify(r *http.Request, q query) (*token.Identity, error) {
	text, found, err := tokenOf(r)
	if err != nil {
		return nil, err
	}
	if found {
		return cs.verified(r.Context(), text)
	}
	if t, ok := q["ticket"]; ok {
		if id := cs.tickets.take(t, time.Now()); id != nil {
			return id, cs.check(id)
		}
		return nil, wire.Errorf(wire.CodeUnauthorized, "the ticket is not known here: it was used, has expired, or is another gateway's")
	}
	return nil, nil
}

// verified returns what a token says. The error never contains the token.
func (cs callers) verified(ctx context.Context, text string) (*token.Identity, error) {
	id, err := cs.tokens.Verify(ctx, text)
	if err != nil && token.Why(err) == token.Unreachable {
		return nil, wire.Errorf(wire.CodeStarting, "%v: try again", err) // the token may be good
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeUnauthorized, "%v", err)
	}
	return id, cs.check(id)
}

// check returns an error if an identity that was verified counts no more.
func (cs callers) check(id *token.Identity) error {
	if cs.cutOff != nil {
		if err := cs.cutOff(); err != nil {
			return wire.Errorf(wire.CodeStarting, "the gateway accepts no token now: %v", err)
		}
	}
	if cs.isRevoked(id) {
		return wire.Errorf(wire.CodeUnauthorized, "the token was revoked")
	}
	return caller{identity: id}.valid(time.Now())
}

func (cs callers) isRevoked(id *token.Identity) bool { return cs.revoked != nil && cs.revoked(id) }

// tokenOf returns the token of a request.
func tokenOf(r *http.Request) (text string, found bool, err error) {
	var given []string
	for _, h := range r.Header.Values("Authorization") {
		if scheme, rest, _ := strings.Cut(h, " "); strings.EqualFold(scheme, "Bearer") {
			given = append(given, strings.TrimSpace(rest))
		}
	}
	if len(given) == 0 {
		for _, p := range websocket.Subprotocols(r) {
			if rest, ok := strings.CutPrefix(p, bearerProtocol); ok {
				given = append(given, rest)
			}
		}
	}
	if len(given) == 0 {
		for _, c := range r.CookiesNamed(sessionCookie) {
			given = append(given, c.Value)
		}
	}
	switch {
	case len(given) == 0:
		return "", false, nil
	case len(given) > 1:
		return "", false, wire.Errorf(wire.CodeUnauthorized, "the request has %d tokens in one place, at most one is allowed", len(given))
	}
	return given[0], true, nil
}

// inQuery lists parameters by which clients elsewhere send tokens.
var inQuery = []string{"token", "access_token", "jwt", "bearer", "auth", "authorization"}

// tokenInQuery returns an error for a parameter that looks like a token's.
func tokenInQuery(name string) error {
	if !slices.Contains(inQuery, strings.ToLower(name)) {
		return nil
	}
	return wire.Errorf(wire.CodeUnauthorized, "query parameter %q is refused: a token in an address ends up in logs; send Authorization: Bearer, or ?ticket= with a ticket of POST /v1/tickets", name)
}
