package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// check is one line of /readyz?verbose.
type check struct {
	name  string
	err   func() error
	minor bool // told, but does not make the server unready: what it does serve is still right
}

// checks are what readiness is made of, in start order.
func (s *server) checks() []check {
	return []check{
		{"log", func() error { return s.log.Err() }, true},
		{"checkpoints", func() error { return s.checkpoints.Err() }, true},
		{"shards", func() error {
			if s.host == nil {
				return errors.New("starting")
			}
			return s.host.Ready()
		}, false},
		{"gateway", func() error {
			if !s.serving.Load() {
				return errors.New("starting or stopping")
			}
			return nil
		}, false},
	}
}

// admin is the admin listener: health, metrics, profiles. It is not for the public.
type admin struct {
	http   *http.Server
	checks []check
}

func newAdmin(metrics *prometheus.Registry, checks []check) *admin {
	a := &admin{checks: checks}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Registry: metrics}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	a.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return a
}

// ready answers 200 or 503; with ?verbose a line for each part.
func (a *admin) ready(w http.ResponseWriter, r *http.Request) {
	status, first := http.StatusOK, "ok"
	var lines strings.Builder
	for _, c := range a.checks {
		said := "ok"
		if err := c.err(); err != nil {
			said = strings.ReplaceAll(err.Error(), "\n", "; ")
			if !c.minor && status == http.StatusOK {
				status, first = http.StatusServiceUnavailable, c.name+": "+said
			}
		}
		fmt.Fprintf(&lines, "%s: %s\n", c.name, said)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	if r.URL.Query().Has("verbose") {
		fmt.Fprint(w, lines.String())
		return
	}
	fmt.Fprintln(w, first)
}

func (a *admin) serve(l net.Listener) error {
	if err := a.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
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
