package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/gateway/token"
	"github.com/prometheus/client_golang/prometheus"
)

// Config says what a gateway serves, and its bounds. Zero values get the defaults named here.
type Config struct {
	Feed        feed.Feed    // required
	Events      *Ingest      // nil: not available
	Definitions *Definitions // nil: not available
	Page        http.Handler // serves all other paths; nil: 404

	// verifies the tokens of callers; nil: callers have no identity, and may do everything
	Tokens *token.Verifier
	// reports whether tokens like this one were revoked; nil: none is. Every token is asked for
	// when it comes, and every session's token again once a second.
	Revoked func(*token.Identity) bool
	// returns why the gateway may not know what was revoked, and admits no token; nil: it always
	// knows
	CutOff func() error
	// a caller without a token may do everything: so with Tokens for development only, which
	// restrict who gives one
	Open bool

	// least time between two asks for a dashboard, at most 100 ms; 0: 5 ms, negative: none
	Flush time.Duration
	// allowed origins, in addition to no origin, the same host, and loopback if the listener is on
	// loopback; see ParseOrigins
	Origins []string
	// names by which clients may address the gateway, in addition to IP addresses, localhost and
	// the hosts of Origins; see ParseHosts
	Hosts   []string
	MaxRate float64 // greatest update rate of a subscription, frames/s; 0: no cap

	TLS      *tls.Config    // of the listener; nil: it has none
	Limits   *limits.Limits // nil: the defaults
	Proxies  Proxies        // are trusted to name their clients
	Sessions Sessions
	Mirrors  Mirrors

	Registerer prometheus.Registerer // nil: metrics are counted and not exported
	Logger     *slog.Logger          // nil: slog.Default
}

// Sessions says how client connections are served.
type Sessions struct {
	FrameBytes int           // bytes of one message from a client, inflated; 0: 65,536
	PingEvery  time.Duration // interval of pings; 0: 25 s
	// closes with 4002 after hearing nothing for this long; 0: 4 x PingEvery
	PingTimeout time.Duration
	// closes with 4001 after the socket takes nothing for this long; 0: 75 s
	WriteTimeout time.Duration
	// time from not ready to the first slot, for balancers to notice; 0: 2 s, negative: none
	DrainNotice time.Duration
	DrainRate   float64 // sessions a second that a drain sends away; 0: 200, at least 1
}

// Mirrors says how copies of dashboards are kept.
type Mirrors struct {
	Linger time.Duration // how long a mirror is kept after its last session left; 0: 10 s
	Load   time.Duration // how long the first read may take; 0: 5 s
	// bytes of all frames kept for sessions to share, and of the changes in them; 0: 128 MiB
	FrameBytes int64
	Named      int // dashboards named in metrics, the busiest first; 0: 100
}

// withDefaults returns c with every zero replaced by its default.
func (c Config) withDefaults() Config {
	set(&c.Flush, 5*time.Millisecond)
	c.Flush = max(0, c.Flush)
	set(&c.Sessions.FrameBytes, 65_536)
	set(&c.Sessions.PingEvery, 25*time.Second)
	set(&c.Sessions.PingTimeout, 4*c.Sessions.PingEvery)
	set(&c.Sessions.WriteTimeout, 75*time.Second)
	set(&c.Sessions.DrainNotice, 2*time.Second)
	c.Sessions.DrainNotice = max(0, c.Sessions.DrainNotice)
	set(&c.Sessions.DrainRate, 200)
	set(&c.Mirrors.Linger, 10*time.Second)
	set(&c.Mirrors.Load, 5*time.Second)
	set(&c.Mirrors.FrameBytes, 128<<20)
	set(&c.Mirrors.Named, 100)
	if c.Limits == nil {
		c.Limits = limits.Default()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// validate checks a config with defaults, and names every problem.
func (c Config) validate() error {
	var errs []error
	if c.Feed == nil {
		errs = append(errs, errors.New("feed is missing"))
	}
	if c.Flush > 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("flush %v is not allowed: 0 to 100ms", c.Flush))
	}
	if c.Sessions.DrainRate < 1 {
		errs = append(errs, fmt.Errorf("drain rate %v is not allowed: at least 1 session a second", c.Sessions.DrainRate))
	}
	if c.MaxRate != 0 {
		if _, err := rateClass(c.MaxRate); err != nil {
			errs = append(errs, fmt.Errorf("max rate: %w", err))
		}
	}
	origins, err := ParseOrigins(c.Origins)
	errs = append(errs, err)
	_, err = ParseHosts(c.Hosts, origins)
	return errors.Join(append(errs, err)...)
}

func set[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}
