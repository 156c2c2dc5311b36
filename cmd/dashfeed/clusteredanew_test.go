package main

import (
	"io"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
)

// TestPulsarMadeAnew: Pulsar loses all its data, topics and metadata, and numbers its ledgers from
// the beginning again. The node's scratch and its directory of checkpoints are kept. The new log
// counts as another one, though positions coincide.
func TestPulsarMadeAnew(t *testing.T) {
	for _, place := range []string{"pulsar", "directory"} {
		t.Run(place, func(t *testing.T) {
			args := []string{"--scratch", t.TempDir(), "--checkpoint", "100ms"}
			if place == "directory" {
				args = append(args, "--checkpoints", "file://"+t.TempDir())
			}
			foldAnew(t, 20, 5, args...)
			foldAnew(t, 50, 1, args...)
		})
	}
}

// foldAnew starts an empty broker, stores messages with each events per message, and starts a node
// that must count these events; then it stops the node.
func foldAnew(t *testing.T, messages, each int, args ...string) {
	t.Helper()
	broker := pulsartest.Start(t, pulsartest.Options{Tokens: true})
	defer broker.Close()
	log := producer(t, broker)
	defer log.Close()
	if err := log.AddTenant(t.Context(), pulsar.Tenant{Name: "acme", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	for range messages {
		put(t, log, "acme", each, 0)
	}
	node := start(t, io.Discard, append([]string{
		"node", "--gateway", "--node", "one", "--cluster", "anew", "--gossip", free(t), "--link", "127.0.0.1:0", "--cluster-key", clusterKey(t), "--gossip-preset", "local",
		"--pulsar", broker.BrokerURL, "--pulsar-admin", broker.AdminURL, "--pulsar-token", broker.Token("admin"),
	}, args...)...)
	untilRead(t, node.public, "acme", func(r reading) bool { return r.Counters.Accepted == messages*each })
	if code := node.stop(t); code != 0 {
		t.Errorf("stop: exit %d: %s", code, node.stderr)
	}
}
