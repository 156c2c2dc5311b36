package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// route is one endpoint. Paths are patterns of http.ServeMux; {id} is the dashboard's name.
type route struct {
	method, path string
	handler      http.Handler
}

func (s *Server) routes() []route {
	f := func(h http.HandlerFunc) http.Handler { return h }
	return []route{
		{"GET", "/v1/ws", f(s.serveWebSocket)},
		{"GET", "/dashboard/{id}", f(s.servePlain)},
		{"GET", "/v1/dashboards", f(s.serveList)},
		{"GET", "/v1/dashboards/{id}", f(s.serveReading)},
		{"GET", "/v1/dashboards/{id}/stream", nil},
		{"POST", "/v1/events", s.cfg.Events},
		{"GET", "/v1/dashboards/{id}/definition", s.cfg.Definitions},
		{"PUT", "/v1/dashboards/{id}/definition", s.cfg.Definitions},
		{"DELETE", "/v1/dashboards/{id}/definition", s.cfg.Definitions},
		{"GET", "/v1/schema/definition.json", s.cfg.Definitions},
	}
}

// mux serves the routes; a path with another method is 405, no path 404, both with the protocol's
// body. A handler that is nil answers 1111.
func (s *Server) mux() *http.ServeMux {
	m := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range s.routes() {
		h := r.handler
		if h == nil {
			h = http.HandlerFunc(notAvailable)
		}
		m.Handle(r.method+" "+r.path, h)
		methods[r.path] = append(methods[r.path], r.method)
	}
	for path, allowed := range methods {
		slices.Sort(allowed)
		m.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { notAllowed(w, r, allowed) })
	}
	page := s.cfg.Page
	if page == nil {
		page = http.HandlerFunc(notFound)
	}
	m.Handle("/", page)
	return m
}

func notAvailable(w http.ResponseWriter, r *http.Request) {
	writeError(w, wire.Errorf(wire.CodeNotAvailable, "%s %s is not available yet", r.Method, r.URL.Path))
}

func notFound(w http.ResponseWriter, r *http.Request) {
	writeStatus(w, http.StatusNotFound, wire.Errorf(wire.CodeBadMessage, "there is no path %.200q", r.URL.Path))
}

func notAllowed(w http.ResponseWriter, r *http.Request, allowed []string) {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeStatus(w, http.StatusMethodNotAllowed, wire.Errorf(wire.CodeBadMessage, "%s takes %s, not %s", r.URL.Path, strings.Join(allowed, ", "), r.Method))
}

// writeStatus is writeError under another status than the code's.
func writeStatus(w http.ResponseWriter, status int, e *wire.Error) {
	retryAfter(w, status, e.After)
	writeJSON(w, status, struct {
		Error *wire.Error `json:"error"`
	}{e})
}
