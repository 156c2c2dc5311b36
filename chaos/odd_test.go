package chaos_test

import (
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/chaos/traffic"
	"github.com/dashfeed/dashfeed/chaos/trial"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// TestOddMessages: foreign producers send messages with the properties of steering records, as a
// copied topic has them, and messages for another tenant. The dashboard refuses each exactly once,
// and the events beside them lose nothing: every cell and count is what the log says. Of the events
// inside transactions the committed ones count.
func TestOddMessages(t *testing.T) {
	c := startTrial(t, trial.Config{
		Cluster: process.ClusterConfig{
			Nodes: 1, Gateways: 1, Tenants: "default=4", Broker: "transactionCoordinatorEnabled=true",
		},
		Definition: boardDefinition, Dashboards: 8, Rate: 200, Foreign: 400, Record: true,
	})
	topic := pulsar.PartitionTopic(pulsar.EventsTopic(messages.DefaultTenant), 0)
	raw, err := pulsartest.OpenRaw(c.Cluster.Pulsar.URL, topic)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	const keyField, transactions = 6, 20
	transactor := traffic.Transactor{
		Name: "transactor", Broker: c.Cluster.Pulsar.URL, Topic: topic, Dashboards: c.Names, Account: c.Account,
		Write: func(least, most uint64, key string, payload []byte) error {
			return raw.SendInside(least, most, raw.Metadata().Text(keyField, key), payload, 1)
		},
	}
	if err := transactor.Run(t.Context(), transactions); err != nil {
		t.Fatal(err)
	}
	const enough = 100
	// real time: it is a real process
	for refused := uint64(0); refused < enough; time.Sleep(50 * time.Millisecond) {
		refused = 0
		for _, name := range c.Names {
			refused += c.Account.Of(name).Refused
		}
	}
	verdict, err := c.Judge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(verdict)
	for _, problem := range verdict.Problems {
		t.Error(problem)
	}
}
