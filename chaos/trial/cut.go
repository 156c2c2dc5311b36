package trial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/chaos/network"
	"github.com/dashfeed/dashfeed/chaos/process"
)

// On configures a cluster whose nodes and Pulsar run on machines of a network, and whose gateways
// run in the network's hub. The caller must run in the hub.
func On(n *network.Network, c process.ClusterConfig) process.ClusterConfig {
	c.Host = func(name string) string {
		if addr := n.Addr(name); addr != "" {
			return addr
		}
		return n.Addr(network.Hub)
	}
	c.Prefix = func(name string) []string {
		if n.Addr(name) == "" {
			return nil
		}
		return n.Exec(name)
	}
	return c
}

// Healing is what a cut did.
type Healing struct {
	// from the cut's end until every process named the same one owner of every shard
	Healed time.Duration
	Moved  time.Duration // from the cut's end until every viewer had an update
	// longest pause of each viewer and dashboard since the cut began, sorted
	Pauses []time.Duration
}

// String returns the healing in one line.
func (h Healing) String() string {
	at := func(q int) time.Duration { return h.Pauses[len(h.Pauses)*q/100].Round(time.Millisecond) }
	return fmt.Sprintf("every shard has one owner %s after its end, all viewers have updates after %s; pauses p50 %s, p99 %s, max %s",
		h.Healed.Round(time.Millisecond), h.Moved.Round(time.Millisecond), at(50), at(99), h.Pauses[len(h.Pauses)-1].Round(time.Millisecond))
}

// Cut cuts two machines off from each other for that long, and waits at most a minute until every
// shard has one owner and every viewer gets updates.
func (t *Trial) Cut(ctx context.Context, n *network.Network, a, b string, length time.Duration) (h Healing, err error) {
	t.Begin()
	if err := n.Cut(a, b); err != nil {
		return h, err
	}
	select {
	case <-time.After(length):
	case <-ctx.Done():
	}
	if err := errors.Join(n.Heal(), ctx.Err()); err != nil {
		return h, err
	}
	healed := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("a minute after the cut"))
	defer cancel()
	if err := t.Settled(ctx); err != nil {
		return h, err
	}
	h.Healed = time.Since(healed)
	for _, p := range t.Pauses() {
		h.Pauses = append(h.Pauses, p.Length)
	}
	slices.Sort(h.Pauses)
	t.Begin()
	if err := t.Moved(ctx); err != nil {
		return h, err
	}
	h.Moved = time.Since(healed)
	return h, nil
}
