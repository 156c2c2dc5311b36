package gateway

import (
	"net/http"
	"slices"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// What pages of allowed origins may send, and read of answers. Preflights are answered before a
// caller is made: they carry no token.
const (
	allowedMethods = "GET, POST, PUT, DELETE"
	allowedHeaders = "Authorization, Content-Type, Content-Encoding, If-Match, If-None-Match"
	exposedHeaders = "ETag, Retry-After"
)

// withOrigin refuses pages of origins that are not allowed. Allowed are: no origin, the same host,
// the configured origins, and loopback if the listener is on loopback.
func (s *Server) withOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Values("Origin")
		w.Header().Add("Vary", "Origin") // also of answers without: a cache may give them to a page
		if len(given) == 0 || len(given) == 1 && given[0] == "" {
			next.ServeHTTP(w, r)
			return
		}
		if len(given) > 1 {
			writeError(w, wire.Errorf(wire.CodeForbidden, "%d Origin headers, %.200q: a request has at most one", len(given), given))
			return
		}
		if !s.letIn(given[0], r.Host) {
			writeError(w, wire.Errorf(wire.CodeForbidden, "origin %.200q is not let in; --origins adds it", given[0]))
			return
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", given[0])
		h.Set("Access-Control-Allow-Credentials", "true") // the cookie; the origin is named, never *
		h.Set("Access-Control-Expose-Headers", exposedHeaders)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", allowedMethods)
			h.Set("Access-Control-Allow-Headers", allowedHeaders)
			h.Set("Access-Control-Max-Age", "600") // seconds
			h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// letIn reports whether a page of the origin may send requests to host, a request's Host.
func (s *Server) letIn(text, host string) bool {
	o, err := parseOrigin(text)
	if err != nil {
		return false
	}
	if s.origins[o] {
		return true
	}
	if !slices.Contains([]string{"http", "https"}, o.scheme) {
		return false
	}
	if s.loopback.Load() && isLoopback(o.host) {
		return true
	}
	name, port, err := splitHost(host)
	if port == ownPort(o.scheme) {
		port = ""
	}
	return err == nil && name == o.host && port == o.port
}
