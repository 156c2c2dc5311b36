package remote_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

var seeds = flag.Int("seeds", 8, "how many simulations to run")

// directory returns what the test sets.
type directory struct {
	mu      sync.Mutex
	sources []link.Peer // by shard; zero: none
	left    map[int]time.Time
	heard   time.Time
}

func (d *directory) PartitionOf(k messages.Key) (int, error) {
	return int(k.Dashboard[len(k.Dashboard)-1]) % len(d.sources), nil
}

func (d *directory) Tenant(string) (first, n int, err error) { return 0, len(d.sources), nil }

func (d *directory) Source(shard int) (link.Peer, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sources[shard], d.sources[shard] != link.Peer{}
}

func (d *directory) Status(shard int) feed.Status {
	if _, ok := d.Source(shard); ok {
		return feed.Status{State: wire.StateLive}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return feed.Status{State: wire.StateStale, Since: d.left[shard]}
}

func (d *directory) Heard() time.Time { return d.heard }

func (d *directory) move(shard int, peer link.Peer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == nil {
		d.left = map[int]time.Time{}
	}
	d.sources[shard], d.left[shard] = peer, time.Now()
}

// cluster holds owners and gateways on one network. Every owner folds the same history.
type cluster struct {
	t       *testing.T
	net     *network
	history *history
	dir     *directory
	owners  map[string]*owner
	servers map[string]*remote.Server
	clients map[string]*remote.Client
}

func newCluster(t *testing.T, seed uint64, shards int) *cluster {
	return &cluster{
		t: t, net: newNetwork(t, seed), history: &history{}, dir: &directory{sources: make([]link.Peer, shards)},
		owners: map[string]*owner{}, servers: map[string]*remote.Server{}, clients: map[string]*remote.Client{},
	}
}

func (c *cluster) owner(name string) *owner {
	c.t.Helper()
	o := newOwner(c.history)
	s, err := remote.NewServer(remote.ServerConfig{Feed: o, Link: c.net.link(name), Logger: quiet})
	must(c.t, err)
	c.owners[name], c.servers[name] = o, s
	c.net.start(name)
	return o
}

func (c *cluster) gateway(name string) *remote.Client {
	c.t.Helper()
	g, err := remote.NewClient(remote.ClientConfig{Directory: c.dir, Link: c.net.link(name), Logger: quiet})
	must(c.t, err)
	c.clients[name] = g
	c.net.start(name)
	return g
}

// move points a shard at another node.
func (c *cluster) move(shard int, peer string) {
	c.dir.move(shard, c.net.peer(peer))
	for _, g := range c.clients {
		g.Moved()
	}
}

func (c *cluster) close() {
	for _, g := range c.clients {
		g.Close()
	}
	for _, s := range c.servers {
		s.Close()
	}
	c.net.close()
}

func key(i int) messages.Key {
	return messages.Key{Tenant: "default", Dashboard: fmt.Sprintf("board-%02d", i)}
}

// Three owners fold at their own pace for two gateways. Streams are late, stall and break at any
// byte, shards move, owners vanish. When all faults are over every mirror equals the owners'
// dashboards, and none went back on the way.
func TestThreeOwnersTwoGateways(t *testing.T) {
	for seed := range uint64(*seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	const shards, boards = 4, 12
	rng := rand.New(rand.NewPCG(seed, 3))
	c := newCluster(t, seed, shards)
	names := []string{"n1", "n2", "n3"}
	for _, n := range names {
		c.owner(n)
	}
	var mirrors []*mirror
	for _, g := range []string{"g1", "g2"} {
		f := c.gateway(g)
		for i := range boards {
			mirrors = append(mirrors, watch(t, f, key(i)))
		}
	}
	for step := range 250 {
		for range rng.IntN(5) {
			births := 0
			if rng.IntN(30) == 0 {
				births = 2000
			}
			c.history.append(record{key: key(rng.IntN(boards)), seed: rng.Uint64(), breaks: rng.IntN(40) == 0, births: births})
		}
		for _, n := range names {
			c.owners[n].fold(rng.IntN(6))
		}
		switch rng.IntN(12) {
		case 0:
			c.move(rng.IntN(shards), names[rng.IntN(len(names))])
		case 1:
			c.move(rng.IntN(shards), "")
		case 2:
			c.net.Weather(time.Duration(rng.IntN(100))*time.Millisecond, rng.IntN(5)*rng.IntN(20_000))
		case 3:
			a, b := names[rng.IntN(3)], []string{"g1", "g2"}[rng.IntN(2)]
			switch rng.IntN(3) {
			case 0:
				c.net.Break(a, b)
			case 1:
				c.net.Stall(a, b, step%2 == 0)
			case 2:
				c.net.Cut(a, b, step%2 == 0)
			}
		}
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
	}

	if c.net.Breaks() < 20 {
		t.Errorf("only %d connections broke", c.net.Breaks())
	}
	c.net.Weather(time.Millisecond, 0)
	for _, n := range names {
		c.net.Cut(n, "g1", false)
		c.net.Cut(n, "g2", false)
		c.owners[n].fold(c.history.len())
	}
	for shard := range shards {
		c.move(shard, names[shard%len(names)])
	}
	time.Sleep(3 * time.Second)
	for _, m := range mirrors {
		m.equals(c.owners["n1"])
		m.close()
	}
	time.Sleep(10 * time.Second)
	for n, o := range c.owners {
		if open := o.open(); open != 0 {
			t.Errorf("%s keeps %d unused dashboards open", n, open)
		}
	}
	c.close()
}
