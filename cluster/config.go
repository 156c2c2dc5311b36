package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/messages"
)

// Shards is what a node does with shards. One goroutine at a time calls its methods, which must
// return soon. Each is called repeatedly while the cluster wants the same.
type Shards interface {
	// Claims returns the claims of all shards that it has: Loading, or Live at a position.
	Claims() []messages.Claim
	// Load begins to fold a shard, and finishes once it has begun. It does nothing if the shard is
	// there.
	Load(shard int)
	// Drop stops folding a shard. It does nothing if the shard is not there.
	Drop(shard int)
	// Own says whether this node acts for a shard: ticks, forwards, shared checkpoints. It does not
	// until Own is called.
	Own(shard int, own bool)
	// Failed reports whether it has the shard but cannot fold it, so that waiting for its claim is
	// useless.
	Failed(shard int) bool
}

// Link carries beats; link.Link implements it.
type Link interface {
	Self() link.Peer
	Handle(f func(from link.Peer, body []byte))
	Lost(f func(link.Peer))
	Start() error
	Beat(to link.Peer, body []byte)
}

// Preset says how fast gossip declares a silent member dead.
type Preset string

// The presets.
const (
	LAN Preset = "lan" // gossip detects a crash in about 3 s and tolerates a pause of 1 s
	// detects a crash in 1.3 to 1.8 s: for one machine or a very reliable network
	Local Preset = "local"
)

// Config configures a Cluster.
type Config struct {
	Name      string   // the node's name; empty: the link's. Each start is an incarnation of it
	Cluster   string   // gossip of a cluster with another name is refused; empty is a name too
	Bind      string   // host:port of gossip, UDP and TCP; port 0 takes a free one
	Advertise string   // host:port at which others reach it; empty: the bound one
	Seeds     []string // host:port of the gossip of some members; may include this one
	Keys      *Keys    // encrypt gossip; nil: no encryption
	Preset    Preset   // empty: LAN

	Roles    Roles // 0: both
	Weight   int   // share of the shards relative to others; 0 counts as 1
	Replicas int   // how many nodes fold a shard; 0 counts as 1: the owner alone

	Shards     Shards     // nil for a pure gateway
	Partitions func() int // the number of shards; it may grow

	// Start starts the link: register all other handlers and services before.
	Link      Link
	Logger    *slog.Logger          // nil: slog.Default
	Metrics   prometheus.Registerer // nil: no metrics
	Transport memberlist.Transport  // nil: sockets at Bind
}

func (c Config) withDefaults() Config {
	if c.Roles == 0 {
		c.Roles = NodeRole | GatewayRole
	}
	c.Weight = max(c.Weight, 1)
	c.Replicas = max(c.Replicas, 1)
	if c.Preset == "" {
		c.Preset = LAN
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Name == "" && c.Link != nil {
		c.Name = c.Link.Self().Node()
	}
	return c
}

// Validate returns everything that is wrong. It changes nothing.
func (c Config) Validate() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("cluster: "+format, args...))
		}
	}
	refuse(c.Link == nil, "no link given")
	refuse(c.Partitions == nil, "no number of partitions given")
	refuse(c.Roles&^(NodeRole|GatewayRole) != 0, "roles %d are not allowed: node, gateway or both", c.Roles)
	refuse(c.Roles.Has(NodeRole) && c.Shards == nil, "a node needs shards to fold; give them, or make it a gateway only")
	refuse(c.Weight > 1000, "weight %d is not allowed: at most 1000", c.Weight)
	refuse(c.Preset != "" && c.Preset != LAN && c.Preset != Local, "preset %q is not allowed: %q or %q", c.Preset, LAN, Local)
	refuse(len(c.Cluster) > memberlist.LabelMaxSize, "the cluster name has %d bytes, at most %d are allowed", len(c.Cluster), memberlist.LabelMaxSize)
	if c.Link != nil {
		own := c.Link.Self().Node()
		refuse(c.Name != "" && c.Name != own, "the node's name is %q here and %q at the link: give both the same", c.Name, own)
	}
	for what, a := range map[string]string{"bind": c.Bind, "advertised": c.Advertise} {
		_, _, err := net.SplitHostPort(a)
		refuse(err != nil && a != "" || a == "" && what == "bind" && c.Transport == nil, "%s address %q of gossip is not host:port", what, a)
	}
	for _, s := range c.Seeds {
		_, _, err := net.SplitHostPort(s)
		refuse(err != nil, "seed %q is not host:port", s)
	}
	return errors.Join(errs...)
}
