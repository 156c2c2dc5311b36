package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// maxCookieBytes is the most that browsers keep of a cookie; they drop a longer one silently.
const maxCookieBytes = 4096

// serveSignIn serves POST /v1/session: it puts the request's token into a cookie. A page of a
// foreign origin could sign its visitor in with its own token, so an Origin is needed, which
// withOrigin has checked.
func (s *Server) serveSignIn(w http.ResponseWriter, r *http.Request, _ query, c caller) {
	text, found, err := tokenOf(r)
	switch {
	case c.identity == nil:
		err = wire.Errorf(wire.CodeNotAvailable, "this server takes no tokens, or none was sent")
	case err == nil && !found:
		err = wire.Errorf(wire.CodeUnauthorized, "send the token in the header Authorization: Bearer")
	case r.Header.Get("Origin") == "":
		err = wire.Errorf(wire.CodeForbidden, "a cookie is set only for a page: the header Origin is missing")
	case len(text)+len(sessionCookie)+1 > maxCookieBytes:
		err = wire.Errorf(wire.CodeTooBig, "the token has %d bytes: browsers keep no cookie of more than %d", len(text), maxCookieBytes)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	http.SetCookie(w, s.cookie(r, text, c.identity.Expires))
	writeJSON(w, http.StatusOK, struct {
		Subject string `json:"subject"`
		Tenant  string `json:"tenant"`
		Expires int64  `json:"expires"` // seconds
	}{c.identity.Subject, c.identity.Tenant, secondsTo(c.identity.Expires)})
}

// serveSignOut serves DELETE /v1/session: it ends the cookie, also one whose token is bad.
func (s *Server) serveSignOut(w http.ResponseWriter, r *http.Request, _ query, _ caller) {
	http.SetCookie(w, s.cookie(r, "", time.Unix(1, 0)))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) cookie(r *http.Request, text string, expires time.Time) *http.Cookie {
	c := &http.Cookie{
		Name: sessionCookie, Value: text, Path: "/", Expires: expires,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.secure(r),
	}
	if text == "" {
		c.MaxAge = -1
	}
	return c
}

// secure reports whether the client came over TLS, as far as this server or a proxy that it trusts
// can tell.
func (s *Server) secure(r *http.Request) bool {
	return r.TLS != nil || s.cfg.Proxies.has(addressOf(r.RemoteAddr)) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// serveTicket serves POST /v1/tickets.
func (s *Server) serveTicket(w http.ResponseWriter, _ *http.Request, _ query, c caller) {
	if c.identity == nil {
		writeError(w, wire.Errorf(wire.CodeNotAvailable, "no ticket is needed: this server takes no tokens, or none was sent"))
		return
	}
	text, err := s.callers.tickets.issue(c.identity, time.Now())
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, struct {
		Ticket  string `json:"ticket"`
		Expires int64  `json:"expires"` // seconds
	}{text, int64(ticketTime / time.Second)})
}

func secondsTo(t time.Time) int64 { return max(0, int64(time.Until(t)/time.Second)) }
