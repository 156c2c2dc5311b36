package gateway

import "net/http"

// What every answer tells browsers. The page has a policy of its own, which replaces apiPolicy.
const (
	apiPolicy = "default-src 'none'; frame-ancestors 'none'"
	// a year, as browsers' lists ask for; without subdomains, which may be other people's servers
	tlsOnly = "max-age=31536000"
)

var safe = struct{ nosniff, policy, tlsOnly []string }{[]string{"nosniff"}, []string{apiPolicy}, []string{tlsOnly}}

// withSafety adds the headers that keep browsers from guessing types, from running or framing
// answers, and, if the listener has TLS, from coming without it. A proxy with TLS of its own adds
// that last one itself.
func (s *Server) withSafety(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = safe.nosniff // shared by all answers; net/http copies it
		h["Content-Security-Policy"] = safe.policy
		if r.TLS != nil {
			h["Strict-Transport-Security"] = safe.tlsOnly
		}
		next.ServeHTTP(w, r)
	})
}
