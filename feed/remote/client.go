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

// Directory tells a gateway where dashboards are. It must be safe for concurrent use, and no method
// may wait.
type Directory interface {
	// PartitionOf returns the shard of a dashboard; an error if its tenant is unknown.
	PartitionOf(k messages.Key) (int, error)
	// Tenant returns the tenant's range of shards.
	Tenant(name string) (first, n int, err error)
	// Source returns the peer at which to follow a shard; false if no node is heard to serve it.
	Source(shard int) (link.Peer, bool)
	// Status returns the state of the shard (live, moving or stale) and since when. Its Lag may be
	// 0: the source reports it.
	Status(shard int) feed.Status
	// Heard returns when any node was last heard; zero: never.
	Heard() time.Time
}

// ClientConfig configures a Client; Directory and Link are required.
type ClientConfig struct {
	Directory Directory
	Link      *link.Link
	// least time between two messages to an owner; 0: 1 ms, negative: none
	Flush   time.Duration
	Wait    time.Duration         // how long a reading waits for a shard that no node serves; 0: 5 s
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: kept but not exported

	Subscriptions int // limit of subscriptions at a time; 0: 200,000
	Requests      int // limit of calls in progress; 0: 4,096
}

const (
	// beatEvery is how often an owner reports the state of its shards, and how often failed work is
	// tried again.
	beatEvery = 250 * time.Millisecond
	// silentBeats is how many beats a source may miss before it counts as silent, and how many
	// beats an unused source is kept.
	silentBeats = 12
	// deafAfter is how long a gateway may hear no node and still report that it is ready.
	deafAfter = 10 * time.Second
)

// The errors of a client at its limits.
var (
	errSubscriptions = errors.New("too many subscriptions")
	errRequests      = errors.New("too many requests in progress")
)

var _ feed.Feed = (*Client)(nil)

// Client is the gateway's end: a feed whose dashboards are on other nodes. It owns one goroutine
// that follows the directory, and two for each owner at which it follows dashboards; Close returns
// when they have ended.
type Client struct {
	cfg   ClientConfig
	stats *clientStats
	rooms *rooms
	ctx   context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup
	moved chan struct{}

	mu            sync.Mutex
	closed        bool
	ids           uint64 // the last id assigned to a subscription
	subscriptions int
	requests      int
	shards        map[int]*shard
	sources       map[link.Peer]*source
	warned        time.Time // when a malformed message was last logged
}

// NewClient returns the gateway's end and starts it.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Directory == nil || cfg.Link == nil {
		return nil, errors.New("feed client: directory and link are required")
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
	var err error
	if c.rooms, err = newRooms(); err != nil {
		return nil, fmt.Errorf("feed client: %w", err)
	}
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

// Moved reports that the directory's sources changed. Anything may call it, also the directory
// itself.
func (c *Client) Moved() { wake(c.moved) }

// Status implements feed.Feed. A source that sends nothing for some beats counts as stale, whatever
// the directory says about it.
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
	c.warn("refused an owner's message", from, err)
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

// wake wakes the goroutine that waits for the channel, which has room for one value.
func wake(who chan struct{}) {
	select {
	case who <- struct{}{}:
	default:
	}
}
