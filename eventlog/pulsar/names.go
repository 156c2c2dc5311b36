package pulsar

import (
	"fmt"
	"strings"

	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/messages"
)

// Names in Pulsar are built from the Dashfeed tenant's name alone, so that two tenants never share
// a topic. A Dashfeed name may have a ~, which Pulsar does not allow, and never has a =. So ~ is
// written =7E.
const (
	eventsNamespace = "dashfeed"       // of a tenant: what its shards read
	stateNamespace  = "dashfeed-state" // of a tenant: what its shards keep
	controlTopic    = "persistent://dashfeed=control/dashfeed/tenants"
)

// EventsTopic returns the tenant's partitioned topic of records.
func EventsTopic(tenant string) string {
	return "persistent://" + encodeTenant(tenant) + "/" + eventsNamespace + "/events"
}

// CheckpointsTopic returns the tenant's partitioned topic of checkpoints. It has as many partitions
// as EventsTopic.
func CheckpointsTopic(tenant string) string {
	return "persistent://" + encodeTenant(tenant) + "/" + stateNamespace + "/checkpoints"
}

// PartitionTopic returns one partition of a partitioned topic.
func PartitionTopic(topic string, partition int) string {
	return fmt.Sprintf("%s-partition-%d", topic, partition)
}

// GuardName returns the name of the subscription that keeps the records and checkpoints that a
// Dashfeed cluster still needs.
func GuardName(cluster string) string { return "dashfeed-guard-" + cluster }

// appliedTopic returns the topic of what a cluster remembers of definitions from files. The escape
// =, which no cluster's name has, keeps clients from taking the topic for a partition.
func appliedTopic(cluster string) string {
	return "persistent://" + broker.NamespaceOf(controlTopic) + "/definitions=" + strings.ReplaceAll(cluster, "-partition-", "=partition=")
}

func encodeTenant(tenant string) string { return strings.ReplaceAll(tenant, "~", "=7E") }

// TenantOf returns the Dashfeed tenant of a topic that is named here; false for any other topic.
func TenantOf(topic string) (string, bool) {
	name, ok := strings.CutPrefix(topic, "persistent://")
	if !ok {
		return "", false
	}
	encoded, _, ok := strings.Cut(name, "/")
	if !ok {
		return "", false
	}
	tenant := strings.ReplaceAll(encoded, "=7E", "~")
	return tenant, messages.ValidName(tenant) && encodeTenant(tenant) == encoded
}
