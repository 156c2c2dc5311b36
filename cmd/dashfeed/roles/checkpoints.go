package roles

import (
	"context"
	"path"
	"strconv"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint/blob"
	checkpoints "github.com/dashfeed/dashfeed/eventlog/checkpoint/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
)

// openCheckpoints opens the scratch store of this process, and the shared store that all nodes
// read.
func (c *Clustered) openCheckpoints(ctx context.Context) (store *shared.Store, err error) {
	config := shared.Default(c.flags.Scratch)
	config.Scratch.Storage.ReserveBytes = int64(c.flags.Reserve)
	config.Scratch.Storage.Logger = c.logger
	config.Logger = c.logger
	open := func() (*shared.Store, error) { return checkpoints.Open(c.checkpointConfig(config)) }
	if c.flags.Checkpoints != "pulsar" {
		open = func() (*shared.Store, error) {
			return blob.Open(ctx, blob.Config{URL: c.flags.Checkpoints, Prefix: c.checkpointPrefix, Shared: config})
		}
	}
	err = c.again(ctx, "checkpoints", func() error {
		store, err = open()
		return err
	})
	return store, err
}

// checkpointConfig returns the configuration of checkpoints that are stored beside the log.
func (c *Clustered) checkpointConfig(config shared.Config) checkpoints.Config {
	return checkpoints.Config{
		BrokerURL: c.flags.Pulsar, AdminURL: c.flags.PulsarAdmin,
		Security: c.security(),
		Cluster:  c.flags.Cluster, Node: c.name, Guard: pulsar.GuardName(c.flags.Cluster),
		Topic: func(shard int) (string, error) {
			tenant, partition, err := c.tenantOf(shard)
			return pulsar.PartitionTopic(pulsar.CheckpointsTopic(tenant.Name), partition), err
		},
		Name: c.checkpointPrefix, Shared: config, Logger: c.logger,
	}
}

// checkpointPrefix returns the path of a shard's checkpoints in the scratch, and the prefix of
// their names in a directory or a bucket: cluster/tenant/partition, with the name of the tenant's
// creation before the partition if it has one.
func (c *Clustered) checkpointPrefix(shard int) (string, error) {
	tenant, partition, err := c.tenantOf(shard)
	if err != nil {
		return "", err
	}
	return path.Join(c.flags.Cluster, tenant.Name, tenant.Made, strconv.Itoa(partition)), nil
}
