// Package admin is the admin listener of every role: health, metrics, profiles, and what the
// commands show and do in a cluster. It is not for the public.
package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/dashfeed/dashfeed/gateway"
)

// Listener serves the admin address.
type Listener struct {
	http   *http.Server
	mux    *http.ServeMux
	health *Health

	connections int // the greatest number at a time
}

// New returns the listener. connections bounds its connections. If secure names CAs of clients,
// only clients with a certificate of theirs are served, except for the health.
func New(metrics *prometheus.Registry, h *Health, hosts gateway.Hosts, connections int, secure *tls.Config) *Listener {
	mux := http.NewServeMux()
	a := &Listener{mux: mux, connections: min(adminConnections, connections), health: h}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Registry: metrics}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	handler := http.Handler(mux)
	if secure != nil && secure.ClientCAs != nil {
		handler = operatorsOnly(mux)
	}
	a.http = &http.Server{Handler: withHost(hosts, handler), TLSConfig: secure, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: gateway.ErrorLog(slog.Default())}
	return a
}

// operatorsOnly refuses clients without a certificate. Balancers ask for the health, and have none.
func operatorsOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := r.TLS != nil && len(r.TLS.VerifiedChains) > 0
		if !known && r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
			answerError(w, http.StatusUnauthorized, errors.New("this address serves clients with a certificate: --admin-cert and --admin-key give one"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withHost refuses requests to other hosts. A site that the operator visits must not be able to
// read profiles by a name of its own.
func withHost(hosts gateway.Hosts, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := hosts.Check(r); err != nil {
			answerError(w, http.StatusMisdirectedRequest, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ready answers 200 or 503; with ?verbose, one line for each part.
func (a *Listener) ready(w http.ResponseWriter, r *http.Request) {
	status, first := http.StatusOK, "ok"
	var lines strings.Builder
	a.health.look(func(c check, err error) {
		said := "ok"
		if err != nil {
			said = ToldOf(err)
			if c.unready(err) && status == http.StatusOK {
				status, first = http.StatusServiceUnavailable, c.name+": "+said
			}
		}
		fmt.Fprintf(&lines, "%s: %s\n", c.name, said)
	})
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	if r.URL.Query().Has("verbose") {
		fmt.Fprint(w, lines.String())
		return
	}
	fmt.Fprintln(w, first)
}

// adminConnections is enough for Prometheus and some operators. They do not count among the
// public's.
const adminConnections = 32

func (a *Listener) Serve(l net.Listener) error {
	if err := gateway.Serve(a.http, l, gateway.Connections{Max: a.connections, Each: a.connections}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown waits for requests in progress until ctx ends, then closes their connections: a profile
// may take long.
func (a *Listener) Shutdown(ctx context.Context) error {
	if a.http.Shutdown(ctx) == nil {
		return nil
	}
	return a.http.Close()
}
