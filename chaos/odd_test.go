package chaos_test

import (
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/trial"
	"github.com/dashfeed/dashfeed/cmd/process"
)

// TestOddMessages: what foreign producers send beside their events, with the properties of records
// that steer, as a copied topic has them, or for another tenant, is refused, each once, and takes
// nothing from the events: every cell and count is what the log says.
func TestOddMessages(t *testing.T) {
	c := startTrial(t, trial.Config{
		Cluster:    process.ClusterConfig{Nodes: 1, Gateways: 1, Tenants: "default=4"},
		Definition: boardDefinition, Dashboards: 8, Rate: 200, Strangers: 400, Record: true,
	})
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
