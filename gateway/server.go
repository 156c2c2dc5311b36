package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// beats is how many slots the sessions are spread over: each beat of the ticker pings one slot.
const beats = 25

// Server serves the public clients. New starts its ticker. Shutdown joins every goroutine that it
// started: the ticker, the mirrors, and the sessions' readers and writers.
type Server struct {
	cfg     Config
	http    *http.Server
	origins Origins
	hosts   Hosts
	conns   *connTable
	stats   *stats
	mirrors *mirrors
	callers callers
	ctx     context.Context // ends when Shutdown begins
	stop    context.CancelFunc
	wg      sync.WaitGroup

	loopback atomic.Bool // the listener is reached from this machine only

	moved chan struct{} // holds one element when every mirror must check its state
	empty chan struct{} // closed when a drain has closed the last session

	mu       sync.Mutex
	stopping bool
	draining bool // reported as not ready
	refusing bool // draining, and the sessions have their slots
	count    int  // number of sessions
	slot     uint8
	sessions [beats]map[*session]struct{}
}

// New returns a server with that config. Zero values get their defaults. It starts the ticker.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("gateway config: %w", err)
	}
	s := &Server{cfg: cfg, stats: newStats(), moved: make(chan struct{}, 1), empty: make(chan struct{})}
	s.origins, _ = ParseOrigins(cfg.Origins) // validate has checked it
	s.hosts, _ = ParseHosts(cfg.Hosts, s.origins)
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.mirrors = &mirrors{ctx: s.ctx, cfg: cfg, stats: s.stats, wg: &s.wg, budget: &views{limits: cfg.Limits}, kept: &kept{most: cfg.Mirrors.FrameBytes}, byKey: map[messages.Key]*mirror{}}
	for i := range s.sessions {
		s.sessions[i] = map[*session]struct{}{}
	}
	if err := s.register(cfg.Registerer); err != nil {
		s.stop()
		return nil, fmt.Errorf("gateway metrics: %w", err)
	}
	s.conns = newConnTable(Connections{Proxies: cfg.Proxies, Limits: cfg.Limits})
	s.callers = callers{proxies: cfg.Proxies, tokens: cfg.Tokens, revoked: cfg.Revoked, cutOff: cfg.CutOff, open: cfg.Open, tickets: newTickets()}
	s.http = &http.Server{
		Handler:           s.withSafety(s.withHost(s.withOrigin(s.mux()))),
		TLSConfig:         cfg.TLS,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      2 * time.Minute, // longer than the longest wait of a reading
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          ErrorLog(cfg.Logger),
	}
	s.conns.guard(s.http)
	s.wg.Go(s.tick)
	return s, nil
}

// Handler returns the handler that Serve serves, for callers with their own listener.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Sessions returns the number of open client connections.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Serve accepts connections until Shutdown. It then returns nil.
func (s *Server) Serve(l net.Listener) error {
	s.loopback.Store(loopbackOnly(l.Addr()))
	if err := serveHTTP(s.http, limited{l, s.conns}); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown accepts no new connections, closes every session with 1012 and waits for them. It also
// waits for running requests until ctx ends. A session that does not answer the close is cut after
// two seconds.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.mu.Lock()
	s.stopping = true
	var open []*session
	for _, slot := range s.sessions {
		for ses := range slot {
			open = append(open, ses)
		}
	}
	s.mu.Unlock()
	for _, ses := range open {
		ses.close(wire.CloseRestart)
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // ctx has ended: cut those who still wait for an answer
	}
	s.mirrors.close()
	s.wg.Wait()
	return err
}

// tick is the server's only ticker. Each beat pings a slot of the sessions and makes the mirrors
// check their lag.
func (s *Server) tick() {
	beat := time.NewTicker(s.cfg.Sessions.PingEvery / beats)
	defer beat.Stop()
	logins := time.NewTicker(loginBeat)
	defer logins.Stop()
	if s.callers.tokens == nil {
		logins.Stop()
	}
	slot := 0
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-beat.C:
			slot = (slot + 1) % beats
			for _, ses := range s.inSlot(slot) {
				ses.beat(now)
			}
			s.mirrors.sweep(now)
		case now := <-logins.C:
			s.loginsDue(now)
		case <-s.moved:
			s.mirrors.look()
		}
	}
}

func (s *Server) inSlot(slot int) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*session, 0, len(s.sessions[slot]))
	for ses := range s.sessions[slot] {
		list = append(list, ses)
	}
	return list
}

// admit takes one place among the sessions, or returns why there is none. remove gives back the
// place, and the handler's part in the WaitGroup.
func (s *Server) admit(c caller) *wire.Error {
	if err := s.holdSession(c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		s.releaseSession(c)
		return wire.Errorf(wire.CodeStarting, "the gateway stops")
	case s.refusing:
		s.releaseSession(c)
		return wire.Errorf(wire.CodeStarting, "the gateway drains: another one takes new sessions")
	}
	s.count++
	s.wg.Add(1)
	return nil
}

// start starts the reader of an admitted session.
func (s *Server) start(ses *session) {
	s.mu.Lock()
	s.slot = (s.slot + 1) % beats
	ses.slot = s.slot
	s.sessions[ses.slot][ses] = struct{}{}
	stopping, refusing := s.stopping, s.refusing
	s.mu.Unlock()
	go ses.read() // counted since admit
	switch {      // it may have happened since admit
	case stopping:
		ses.close(wire.CloseRestart)
	case refusing:
		ses.close(wire.CloseDrain)
	}
}

// remove gives back what admit has taken. ses is nil if no session was made.
func (s *Server) remove(ses *session, c caller) {
	s.releaseSession(c)
	s.mu.Lock()
	if ses != nil {
		delete(s.sessions[ses.slot], ses)
	}
	s.count--
	if s.refusing && s.count == 0 {
		close(s.empty) // nobody is admitted any more, so this is the last session
	}
	s.mu.Unlock()
	s.wg.Done()
}

// rate returns the class that a subscription's maxRate is rounded down to, below the server's own
// cap.
func (s *Server) rate(maxRate float64) (float64, error) {
	if s.cfg.MaxRate > 0 && (maxRate == 0 || maxRate > s.cfg.MaxRate) {
		maxRate = s.cfg.MaxRate
	}
	return rateClass(maxRate)
}
