package main

import (
	"context"
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

// admin is the admin listener: health, metrics, profiles, and what the role has to say and to be
// told. It is not for the public.
type admin struct {
	http   *http.Server
	mux    *http.ServeMux
	health *health
}

func newAdmin(metrics *prometheus.Registry, h *health, hosts gateway.Hosts) *admin {
	mux := http.NewServeMux()
	a := &admin{mux: mux, health: h}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Registry: metrics}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	a.http = &http.Server{Handler: a.withHost(hosts), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: gateway.ErrorLog(slog.Default())}
	return a
}

// withHost is the mux for who asks for one of the hosts: a site that the operator looks at must not
// read his profiles under a name of its own.
func (a *admin) withHost(hosts gateway.Hosts) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := hosts.Check(r); err != nil {
			answerError(w, http.StatusMisdirectedRequest, err)
			return
		}
		a.mux.ServeHTTP(w, r)
	})
}

// ready answers 200 or 503; with ?verbose a line for each part.
func (a *admin) ready(w http.ResponseWriter, r *http.Request) {
	status, first := http.StatusOK, "ok"
	var lines strings.Builder
	a.health.look(func(c check, err error) {
		said := "ok"
		if err != nil {
			said = toldOf(err)
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

// adminConnections is enough for Prometheus and some operators; they are not among those of the
// public.
const adminConnections = 32

func (a *admin) serve(l net.Listener) error {
	most := min(adminConnections, gateway.MaxConnections(openFiles()))
	if err := gateway.Serve(a.http, l, gateway.Connections{Max: most, Each: most}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// shutdown waits for requests under way until ctx ends, then cuts them: a profile may take long.
func (a *admin) shutdown(ctx context.Context) error {
	if a.http.Shutdown(ctx) == nil {
		return nil
	}
	return a.http.Close()
}
