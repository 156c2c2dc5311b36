package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// handler serves one endpoint. q holds the parameters in the request's address, all known to the
// endpoint. c is the client.
type handler func(w http.ResponseWriter, r *http.Request, q query, c caller)

// route is one endpoint. Paths are patterns of http.ServeMux; {id} is the dashboard's name.
type route struct {
	method, path string
	parameters   []string
	handler      handler
	refused      func(status int) // is called if a request is refused before the handler; may be nil
	access       access
}

// routes returns all endpoints except the page.
func (s *Server) routes() []route {
	tenant, connecting := []string{"tenant"}, []string{"tenant", "ticket"}
	events, definitions := s.cfg.Events, s.cfg.Definitions
	return []route{
		{"GET", "/v1/ws", connecting, s.serveWebSocket, nil, tokenLater},
		{"GET", "/dashboard/{id}", connecting, s.servePlain, nil, needsToken},
		{"GET", "/v1/dashboards", listParameters, s.serveList, nil, needsToken},
		{"GET", "/v1/dashboards/{id}", readingParameters, s.serveReading, nil, needsToken},
		{"GET", "/v1/dashboards/{id}/stream", nil, nil, nil, needsToken},
		{"POST", "/v1/events", []string{"tenant", "dashboard"}, events.handler(), events.refused, needsToken},
		{"GET", "/v1/dashboards/{id}/definition", tenant, definitions.handler(read, definitions.get), nil, needsToken},
		{"PUT", "/v1/dashboards/{id}/definition", tenant, definitions.handler(define, definitions.put), nil, needsToken},
		{"DELETE", "/v1/dashboards/{id}/definition", tenant, definitions.handler(define, definitions.delete), nil, needsToken},
		{"GET", "/v1/schema/definition.json", nil, definitions.schema(), nil, needsToken},
		{"POST", "/v1/session", nil, s.serveSignIn, nil, needsToken},
		{"DELETE", "/v1/session", nil, s.serveSignOut, nil, noToken},
		{"POST", "/v1/tickets", nil, s.serveTicket, nil, needsToken},
	}
}

// open returns the http.Handler of a route. It makes the caller and passes the request to the
// handler. If the handler is nil, it answers with code 1111.
func (rt route) open(cs callers) http.Handler {
	if rt.handler == nil {
		return http.HandlerFunc(notAvailable)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := queryOf(r, rt.parameters)
		var c caller
		if err == nil {
			c, err = cs.of(r, q, rt.access)
		}
		if err == nil {
			rt.handler(w, r, q, c)
			return
		}
		status := writeError(w, err)
		if rt.refused != nil {
			rt.refused(status)
		}
	})
}

// mux serves the routes. A path with another method gets 405, an unknown path gets 404, both with
// the protocol's body. The page is served to everybody.
func (s *Server) mux() *http.ServeMux {
	m := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range s.routes() {
		m.Handle(r.method+" "+r.path, r.open(s.callers))
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

// writeStatus is like writeError, with another status than that of the code.
func writeStatus(w http.ResponseWriter, status int, e *wire.Error) {
	retryAfter(w, status, e.After)
	writeJSON(w, status, struct {
		Error *wire.Error `json:"error"`
	}{e})
}
