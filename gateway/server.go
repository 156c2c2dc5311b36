package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server serves the public door. New starts its ticker; Shutdown joins every goroutine it ever started.
type Server struct {
	cfg  Config
	http *http.Server
	ctx  context.Context // ends when Shutdown begins
	stop context.CancelFunc
	wg   sync.WaitGroup // ticker, mirrors, sessions' readers and writers
}

// New makes a server of a config, whose zero values get their defaults.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("gateway config: %w", err)
	}
	s := &Server{cfg: cfg}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           s.mux(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      2 * time.Minute, // more than the longest wait of a reading
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	return s, nil
}

// Handler is what Serve serves, for whoever has a listener of his own.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve takes connections until Shutdown; it then returns nil.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown takes no new connection, closes every session with 1012 and waits for them and for running requests until
// ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	err := s.http.Shutdown(ctx)
	s.wg.Wait()
	return err
}

func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) { notAvailable(w, r) }
func (s *Server) servePlain(w http.ResponseWriter, r *http.Request)     { notAvailable(w, r) }
func (s *Server) serveList(w http.ResponseWriter, r *http.Request)      { notAvailable(w, r) }
func (s *Server) serveReading(w http.ResponseWriter, r *http.Request)   { notAvailable(w, r) }
