package remote

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote/envelope"
)

// ServerConfig is what a Server is made of; Feed and Send are needed.
type ServerConfig struct {
	Feed    feed.Feed                    // what is served
	Send    func(to string, body []byte) // never blocks, may lose, may keep body
	Flush   time.Duration                // least time between two messages to a gateway; 0: 1 ms, negative: none
	Logger  *slog.Logger                 // nil: slog.Default
	Metrics prometheus.Registerer        // nil: kept and not shown
	Bounds  Bounds                       //
}

// leastFlush is short, at both ends, since a gateway asks for each dashboard once in its own 5 ms: to gather answers, or asks, as long
// again would double the latency and save little. At 5,000 records/s over 50 dashboards 1 ms costs some 15 us of CPU a record more
// than 5 ms, at both ends together, and brings p50 from 3.8 to 1.3 ms, p99 from 11 to 2.0 ms (BenchmarkLatency). It bounds what a peer
// costs: 1,000 messages a second.
const leastFlush = time.Millisecond

// Bounds are what one owner holds for gateways. Zero values get the defaults named here.
type Bounds struct {
	Gateways  int // 0: 256; a further one is not heard until one is gone
	Interests int // of one gateway; 0: 200,000; further ones are not served
	Requests  int // of one gateway, under way; 0: 1,024; further ones are repeated by the gateway
}

// Server is the owner's end: it holds gateways' interests open at its feed and sends them what changes. It owns one
// goroutine for every gateway and one for every request under way; Close returns when they have ended.
type Server struct {
	cfg   ServerConfig
	stats *serverStats
	ctx   context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup

	mu       sync.Mutex
	streams  uint64
	gateways map[string]*gateway
	closed   bool
	warned   time.Time // when a bad message was last told of
}

// NewServer makes the owner's end. It hears nothing before Receive is called.
func NewServer(c ServerConfig) (*Server, error) {
	if c.Feed == nil || c.Send == nil {
		return nil, errors.New("feed server: feed and send are needed")
	}
	set(&c.Flush, leastFlush)
	c.Flush = max(0, c.Flush)
	set(&c.Bounds.Gateways, 256)
	set(&c.Bounds.Interests, 200_000)
	set(&c.Bounds.Requests, 1_024)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	s := &Server{cfg: c, gateways: map[string]*gateway{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.stats = newServerStats(s)
	if err := s.stats.register(c.Metrics); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// Receive takes a message of a peer; what is not for an owner is passed over.
func (s *Server) Receive(from string, body []byte) {
	m := &envelope.ToOwner{}
	mine, err := open(forOwner, body, m)
	if err != nil {
		s.refuse(from, err)
		return
	}
	if !mine {
		return
	}
	if g := s.gateway(from); g != nil {
		select {
		case g.inbox <- m:
		default: // it will be told again
			s.stats.dropped.Inc()
		}
	}
}

// Lost ends the interests of a peer at once.
func (s *Server) Lost(peer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.gateways[peer]; g != nil {
		delete(s.gateways, peer)
		close(g.gone)
	}
}

// Close ends every interest.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.wg.Wait()
	s.stats.unregister(s.cfg.Metrics)
}

// gateway is the memory of a peer, made where there is none; nil where there is no room.
func (s *Server) gateway(peer string) *gateway {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gateways[peer]
	if g != nil || s.closed || len(s.gateways) >= s.cfg.Bounds.Gateways {
		return g
	}
	s.streams++
	g = newGateway(s, peer, s.streams)
	s.gateways[peer] = g
	s.wg.Go(g.run)
	return g
}

// forget takes out a gateway that has fallen silent.
func (s *Server) forget(g *gateway) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gateways[g.peer] == g {
		delete(s.gateways, g.peer)
	}
}

func (s *Server) refuse(from string, err error) {
	s.stats.refused.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.warned) >= time.Minute {
		s.warned = now
		s.cfg.Logger.Warn("a gateway's message is refused", "gateway", from, "error", err)
	}
}

func set[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}
