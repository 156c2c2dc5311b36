package remote_test

import (
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/cluster/link/linktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network connects links over one in-memory network. Every process sends beats to every other, as
// in a cluster.
type network struct {
	*linktest.Network
	t testing.TB

	mu      sync.Mutex
	links   map[string]*link.Link
	metrics map[string]*prometheus.Registry
	done    chan struct{}
}

func newNetwork(t testing.TB, seed uint64) *network {
	return &network{Network: linktest.New(seed), t: t, links: map[string]*link.Link{}, metrics: map[string]*prometheus.Registry{}, done: make(chan struct{})}
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// link gives a process its link, which is started later.
func (n *network) link(name string) *link.Link {
	n.t.Helper()
	n.metrics[name] = prometheus.NewRegistry()
	l, err := link.Listen(link.Config{Node: name, Bind: name + ":1", Network: n.Of(name), Logger: quiet, Metrics: n.metrics[name]})
	must(n.t, err)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[name] = l
	return l
}

// start starts a process's link and its beats.
func (n *network) start(name string) {
	n.t.Helper()
	n.mu.Lock()
	l := n.links[name]
	n.mu.Unlock()
	must(n.t, l.Start())
	go func() {
		for {
			select {
			case <-n.done:
				return
			case <-time.After(250 * time.Millisecond):
			}
			for _, other := range n.peers() {
				if other != l.Self() {
					l.Beat(other, []byte("beat"))
				}
			}
		}
	}()
}

// peers returns all running processes.
func (n *network) peers() (all []link.Peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		all = append(all, l.Self())
	}
	return all
}

// peer returns the process with the name; the zero Peer if there is none.
func (n *network) peer(name string) link.Peer {
	if name == "" {
		return link.Peer{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.links[name].Self()
}

func (n *network) close() {
	close(n.done)
	for _, l := range n.links {
		must(n.t, l.Close())
	}
}

// messages returns how many of the feed's messages all processes have sent.
func (n *network) messages() (all int) {
	n.t.Helper()
	for _, r := range n.metrics {
		families, err := r.Gather()
		must(n.t, err)
		for _, f := range families {
			if f.GetName() != "dashfeed_link_messages_total" {
				continue
			}
			for _, m := range f.GetMetric() {
				labels := map[string]string{}
				for _, p := range m.GetLabel() {
					labels[p.GetName()] = p.GetValue()
				}
				if labels["kind"] == "feed" && labels["direction"] == "sent" {
					all += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return all
}
