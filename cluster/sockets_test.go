package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dashfeed/dashfeed/cluster/link"
)

// realNode starts a node on loopback, with real gossip and a real link.
func realNode(t *testing.T, name string, seeds []string, change ...func(*Config)) (*Cluster, *folds) {
	t.Helper()
	l, err := link.Listen(link.Config{Node: name, Bind: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f := &folds{took: 100 * time.Millisecond, since: map[int]time.Time{}, owns: map[int]bool{}}
	c := Config{
		Name: name, Cluster: "sockets", Bind: "127.0.0.1:0", Seeds: seeds, Preset: Local, Roles: NodeRole, Replicas: 2, Shards: f,
		Partitions: func() int { return 16 }, Link: l, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	}
	for _, g := range change {
		g(&c)
	}
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close(context.Background()) })
	return n, f
}

func TestOnRealSockets(t *testing.T) {
	a, fa := realNode(t, "a", nil)
	seeds := []string{a.Members()[0].Gossip}
	b, fb := realNode(t, "b", seeds)
	all := func(what string, ok func() bool) {
		t.Helper()
		start := time.Now()
		for changed := a.Changed(); !ok(); changed = a.Changed() {
			select {
			case <-changed:
			case <-time.After(50 * time.Millisecond):
			}
			if time.Since(start) > 20*time.Second {
				t.Fatalf("not in 20 s: %s", what)
			}
		}
		t.Logf("%s after %v", what, time.Since(start).Round(time.Millisecond))
	}
	all("both fold all 16 shards", func() bool {
		for shard := range 16 {
			x, xo := fa.has(shard)
			y, yo := fb.has(shard)
			if !x || !y || xo == yo {
				return false
			}
		}
		return true
	})
	if got := testutil.CollectAndCount(a.meter); got == 0 {
		t.Error("no metrics")
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
	all("a owns all shards that b left", func() bool {
		for shard := range 16 {
			if _, owns := fa.has(shard); !owns {
				return false
			}
		}
		return true
	})
	if m := a.Members(); len(m) != 1 || a.Err() != nil {
		t.Errorf("members %+v, error %v", m, a.Err())
	}
}

func TestStartErrors(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	l, err := link.Listen(link.Config{Node: "a", Bind: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Start(t.Context(), Config{Bind: busy.Addr().String(), Roles: GatewayRole, Partitions: func() int { return 1 }, Link: l, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("error %v", err)
	}
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Link: l, Bind: "127.0.0.1:0"}, "no number of partitions"},
		{Config{Link: l, Bind: "x", Partitions: func() int { return 1 }}, "not host:port"},
		{Config{Link: l, Bind: "127.0.0.1:0", Roles: NodeRole, Partitions: func() int { return 1 }}, "needs shards"},
		{Config{Link: l, Bind: "127.0.0.1:0", Name: "b", Partitions: func() int { return 1 }}, "give both the same"},
		{Config{Link: l, Bind: "127.0.0.1:0", Preset: "wan"}, "preset"},
		{Config{Link: l, Bind: "127.0.0.1:0", Seeds: []string{"nowhere"}}, "seed"},
		{Config{Link: l, Bind: "127.0.0.1:0", Cluster: fmt.Sprintf("%300d", 1)}, "cluster name"},
	} {
		if err := c.config.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v lacks %q", err, c.want)
		}
	}
}
