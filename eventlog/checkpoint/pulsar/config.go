// Package pulsar keeps checkpoints that other nodes read in a compacted topic on Apache Pulsar: one
// partition a shard, a message a dashboard that changed.
//
//	store, err := pulsar.Open(pulsar.Config{
//		BrokerURL: "pulsar://broker:6650", AdminURL: "http://broker:8080",
//		Cluster: "main", Node: "node-3",
//		Guard:   events.GuardName("main"),
//		// events.PartitionTopic(events.CheckpointsTopic("acme"), 3), nil
//		Topic:   func(shard int) (string, error) { … },
//		Shared:  shared.Default("/var/lib/dashfeed/scratch"),
//	})
//
// What it promises:
//
//  1. One writer: the holder of the partition's Exclusive producer. It is asked for when the first
//     checkpoint is committed after Lead, and closed when this process leads no more. Having got
//     it, the leader reads the partition to its end first.
//  2. A dashboard that changed is written at the next two checkpoints, in slot 0 and 1 in turn, the
//     marker last, once the broker has confirmed all before it. The marker counts the entries of
//     its slot and digests their sequence numbers: one that is lost, or older than it should be, is
//     found, and the other slot's checkpoint is used.
//  3. Nothing is released before the broker has compacted the partition once: from then on its own
//     cursor keeps what is not compacted, and the topic. The guard's cursor is moved only after
//     that.
//  4. Where another holds the producer, the error names it.
package pulsar

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
)

// Config says where the broker is and where the shards' checkpoints lie.
type Config struct {
	BrokerURL string // pulsar://host:port[,host:port] or pulsar+ssl://…
	AdminURL  string // http://host:port or https://…
	Security  broker.Security

	// of this Dashfeed, and this node in it: they are in the producer's name, so that others can
	// tell who
	Cluster string
	Node    string // writes
	Guard   string // the subscription that holds the topic until it was compacted; "": there is none

	// Topic is the partition of the shard's checkpoints, the same in all processes, another one for
	// every shard.
	Topic func(shard int) (string, error)
	// Name is what the scratch keeps the shard's checkpoints under: the same in all processes,
	// another one for every shard, and for one whose log was made anew under the same topics. nil:
	// Topic.
	Name   func(shard int) (string, error)
	Shared shared.Config

	Timeout  time.Duration // of one question to the broker; 0: 10 s
	TakeWait time.Duration // how long a new leader waits for the one before to let go; 0: 3 s
	// the namespace's threshold is set to it where it has none; 0: 64 MiB
	CompactionBytes int64
	Logger          *slog.Logger // nil: slog.Default()
}

// Validate reports every field that is out of its range.
func (c Config) Validate() error {
	errs := []error{c.Shared.Validate()}
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(!strings.HasPrefix(c.BrokerURL, "pulsar://") && !strings.HasPrefix(c.BrokerURL, "pulsar+ssl://"),
		"broker URL %q is not allowed: pulsar://host:port or pulsar+ssl://host:port", c.BrokerURL)
	refuse(!strings.HasPrefix(c.AdminURL, "http://") && !strings.HasPrefix(c.AdminURL, "https://"),
		"admin URL %q is not allowed: http://host:port or https://host:port", c.AdminURL)
	refuse(c.Security.Token != "" && c.Security.TokenFile != "", "a token and a token file are given: give one")
	refuse((c.Security.Cert == "") != (c.Security.Key == ""), "a client certificate needs its key, and a key its certificate")
	refuse(c.Cluster == "" || c.Node == "", "cluster and node are not both given: the name of the producer has them, so that another can tell who writes")
	refuse(c.Topic == nil, "the topics of the shards' checkpoints are not given")
	refuse(c.Timeout < 0 || c.TakeWait < 0 || c.CompactionBytes < 0, "timeout %v, wait %v, compaction from %d bytes on: none may be less than 0", c.Timeout, c.TakeWait, c.CompactionBytes)
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Name == nil {
		c.Name = c.Topic
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.TakeWait == 0 {
		c.TakeWait = 3 * time.Second
	}
	if c.CompactionBytes == 0 {
		c.CompactionBytes = 64 << 20
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}
