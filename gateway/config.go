package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/prometheus/client_golang/prometheus"
)

// Config says what a gateway serves and how much. Zero values get the defaults named here.
type Config struct {
	Feed        feed.Feed    // needed
	Events      *Ingest      // nil: not available
	Definitions *Definitions // nil: not available
	Page        http.Handler // what no other path takes; nil: 404

	// least time between two looks at a dashboard; 0: 5 ms, negative: none; at most 100 ms
	Flush time.Duration
	// origins let in besides none, the same host, and loopback where the listener is; see
	// ParseOrigins
	Origins []string
	// names it may be asked by besides IP addresses, localhost and those of Origins; see ParseHosts
	Hosts   []string
	MaxRate float64 // greatest update rate a subscription gets, frames/s; 0: no cap

	Connections Connections
	Sessions    Sessions
	Mirrors     Mirrors

	Registerer prometheus.Registerer // nil: metrics are kept and not shown
	Logger     *slog.Logger          // nil: slog.Default
}

// Sessions bounds the client connections.
type Sessions struct {
	Max           int           // 0: 20,000
	Subscriptions int           // of one session; 0: 128
	ViewBytes     int64         // of one session's views that name panels or groups, about; 0: 16 MiB
	FrameBytes    int           // of one message from a client, inflated; 0: 65,536
	PingEvery     time.Duration // 0: 25 s
	PingTimeout   time.Duration // nothing heard for so long closes 4002; 0: 4 x PingEvery
	WriteTimeout  time.Duration // a socket that takes nothing for so long closes 4001; 0: 75 s
	// from not ready to the first slot, so that balancers have noticed; 0: 2 s, negative: none
	DrainNotice time.Duration
	DrainRate   float64 // sessions a second that a drain sends away; 0: 200, at least 1
}

// Mirrors bounds the copies of dashboards.
type Mirrors struct {
	Max       int           // 0: 100,000
	Linger    time.Duration // how long one is kept after its last session left; 0: 10 s
	Load      time.Duration // how long a first look may take; 0: 5 s
	ViewBytes int64         // of all views that name panels or groups, about; 0: 128 MiB
	// of all frames that are kept for sessions to share, and what they are made of; 0: 128 MiB
	FrameBytes int64
	Named      int // dashboards named in metrics, the busiest first; 0: 100
}

// withDefaults is c with every zero filled in.
func (c Config) withDefaults() Config {
	set(&c.Flush, 5*time.Millisecond)
	c.Flush = max(0, c.Flush)
	set(&c.Sessions.Max, 20_000)
	set(&c.Sessions.Subscriptions, 128)
	set(&c.Sessions.ViewBytes, 16<<20)
	set(&c.Sessions.FrameBytes, 65_536)
	set(&c.Sessions.PingEvery, 25*time.Second)
	set(&c.Sessions.PingTimeout, 4*c.Sessions.PingEvery)
	set(&c.Sessions.WriteTimeout, 75*time.Second)
	set(&c.Sessions.DrainNotice, 2*time.Second)
	c.Sessions.DrainNotice = max(0, c.Sessions.DrainNotice)
	set(&c.Sessions.DrainRate, 200)
	set(&c.Mirrors.Max, 100_000)
	set(&c.Mirrors.Linger, 10*time.Second)
	set(&c.Mirrors.Load, 5*time.Second)
	set(&c.Mirrors.ViewBytes, 128<<20)
	set(&c.Mirrors.FrameBytes, 128<<20)
	set(&c.Mirrors.Named, 100)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// validate looks at a config whose defaults are filled in; every problem is named.
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
