package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Directory tells a gateway where dashboards are. Any number of goroutines may call; no method
// waits.
type Directory interface {
	// PartitionOf is the shard of a dashboard; an error where its tenant is not known.
	PartitionOf(k messages.Key) (int, error)
	// Tenant is the tenant's range of shards.
	Tenant(name string) (first, n int, err error)
	// Source is the peer to follow a shard at; false while nobody is heard to serve it.
	Source(shard int) (link.Peer, bool)
	// Status is how the shard stands: live, moving or stale, and since when. Its Lag may be left 0:
	// the source tells.
	Status(shard int) feed.Status
	// Heard is when any node was last heard; zero: never.
	Heard() time.Time
}

// ClientConfig is what a Client is made of; Directory and Link are needed.
type ClientConfig struct {
	Directory Directory
	Link      *link.Link
	// least time between two messages to an owner; 0: 1 ms, negative: none
	Flush   time.Duration
	Wait    time.Duration         // how long a reading waits for a shard that nobody serves; 0: 5 s
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: kept and not shown

	Subscriptions int // most at a time; 0: 200,000
	Requests      int // calls, most under way; 0: 4,096
}

const (
	// beatEvery is how often an owner says how its shards stand, and how often what failed is tried
	// again.
	beatEvery = 250 * time.Millisecond
	// silentBeats is how many of them a source may miss until it counts as silent, and how many it
	// is kept for nothing.
	silentBeats = 12
	// deafAfter is how long a gateway may hear no node and still call itself ready.
	deafAfter = 10 * time.Second
)

// Errors of a client at its bounds.
var (
	errSubscriptions = errors.New("too many dashboards are followed")
	errRequests      = errors.New("too many requests are under way")
)

var _ feed.Feed = (*Client)(nil)

// Client is a gateway's end: a feed whose dashboards live elsewhere. It owns one goroutine that
// follows the directory and two for each owner it follows dashboards at; Close returns when they
// have ended.
type Client struct {
	cfg   ClientConfig
	stats *clientStats
	ctx   context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup
	moved chan struct{}

	mu            sync.Mutex
	closed        bool
	ids           uint64 // given to subscriptions
	subscriptions int
	requests      int
	shards        map[int]*shard
	sources       map[link.Peer]*source
	warned        time.Time // when a bad message was last told of
}

// NewClient makes the gateway's end.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Directory == nil || cfg.Link == nil {
		return nil, errors.New("feed client: directory and link are needed")
	}
	set(&cfg.Flush, leastFlush)
	cfg.Flush = max(0, cfg.Flush)
	set(&cfg.Wait, 5*time.Second)
	set(&cfg.Subscriptions, 200_000)
	set(&cfg.Requests, 4_096)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &Client{cfg: cfg, moved: make(chan struct{}, 1), shards: map[int]*shard{}, sources: map[link.Peer]*source{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.stats = newClientStats(c)
	if err := c.stats.register(cfg.Metrics); err != nil {
		c.stop()
		return nil, err
	}
	c.wg.Go(c.follow)
	return c, nil
}

// Close ends every subscription and request.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.wg.Wait()
	c.stats.unregister(c.cfg.Metrics)
}

// Moved says that the directory's sources changed. It may be called from anywhere, also by the
// directory itself.
func (c *Client) Moved() { wake(c.moved) }

// Status implements feed.Feed. A source that says nothing for some beats serves nobody, whatever
// else is heard of it.
func (c *Client) Status(k messages.Key) feed.Status {
	n, err := c.cfg.Directory.PartitionOf(k)
	if err != nil {
		return feed.Status{State: wire.StateStale}
	}
	st := c.cfg.Directory.Status(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	sh := c.shards[n]
	if sh == nil || sh.source == nil || st.State != wire.StateLive {
		return st
	}
	if heard := sh.source.heardAt; time.Since(heard) > silentBeats*beatEvery {
		return feed.Status{State: wire.StateStale, Since: heard}
	}
	st.Lag = max(st.Lag, sh.lag)
	return st
}

// Ready implements feed.Feed: a gateway that has heard no node for ten seconds is cut off.
func (c *Client) Ready() error {
	heard := c.cfg.Directory.Heard()
	if heard.IsZero() {
		return fmt.Errorf("no node has been heard yet: %w", feed.ErrStarting)
	}
	if silent := time.Since(heard); silent > deafAfter {
		return fmt.Errorf("no node has been heard for %v; check the network and the nodes", silent.Round(time.Second))
	}
	return nil
}

func (c *Client) refuse(from link.Peer, err error) {
	c.stats.refused.Inc()
	c.warn("an owner's message is refused", from, err)
}

// warn logs at most once a minute.
func (c *Client) warn(text string, peer link.Peer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.warned) >= time.Minute {
		c.warned = now
		c.cfg.Logger.Warn(text, "owner", peer.String(), "error", err)
	}
}

// wake wakes whoever waits for the channel, which has room for one.
func wake(who chan struct{}) {
	select {
	case who <- struct{}{}:
	default:
	}
}
