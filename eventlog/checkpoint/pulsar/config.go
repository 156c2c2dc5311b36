// Package pulsar keeps shared checkpoints in a compacted topic on Apache Pulsar: one partition for
// each shard, one message for each dashboard that changed.
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
// Guarantees:
//
//  1. There is one writer: the holder of the partition's Exclusive producer. The store asks for it
//     at the first Commit after Lead, and closes it when this process no longer leads. A new leader
//     first reads the partition to its end.
//  2. A dashboard that changed is written at the next two checkpoints, in slots 0 and 1 in turn.
//     The marker comes last, after the broker has confirmed everything before it. The marker counts
//     the entries of its slot and digests their sequence numbers: a lost or outdated entry is
//     detected, and the other slot's checkpoint is used.
//  3. Nothing is released before the broker has compacted the partition once: from then on its own
//     cursor keeps the messages and the topic. The guard's cursor moves only after that.
//  4. If another process holds the producer, the error names it.
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

// Config says where the broker is and which topics hold the shards' checkpoints.
type Config struct {
	BrokerURL string // pulsar://host:port[,host:port] or pulsar+ssl://…
	AdminURL  string // http://host:port or https://…
	Security  broker.Security

	// the Dashfeed cluster, and this node in it: the producer's name has both, so that others can
	// see who writes
	Cluster string
	Node    string // writes
	Guard   string // the subscription that holds the topic until it is compacted; "": none

	// Topic returns the partition of the shard's checkpoints: the same in all processes, and
	// different for every shard.
	Topic func(shard int) (string, error)
	// Name returns the name of the shard's checkpoints in the scratch: the same in all processes,
	// different for every shard, and different after the log was created again with the same
	// topics. nil: Topic.
	Name   func(shard int) (string, error)
	Shared shared.Config

	Timeout  time.Duration // of one request to the broker; 0: 10 s
	TakeWait time.Duration // how long a new leader waits for the previous one to release; 0: 3 s
	// threshold that the namespace gets if it has none; 0: 64 MiB
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
	refuse(c.Security.Token != "" && c.Security.TokenFile != "", "a token and a token file are given: give only one")
	refuse((c.Security.Cert == "") != (c.Security.Key == ""), "a client certificate needs its key, and a key its certificate")
	refuse(c.Cluster == "" || c.Node == "", "cluster or node is missing: the producer's name has both, so that others can see who writes")
	refuse(c.Topic == nil, "the topics of the shards' checkpoints are missing")
	refuse(c.Timeout < 0 || c.TakeWait < 0 || c.CompactionBytes < 0, "timeout %v, wait %v, compaction from %d bytes on: none may be negative", c.Timeout, c.TakeWait, c.CompactionBytes)
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
