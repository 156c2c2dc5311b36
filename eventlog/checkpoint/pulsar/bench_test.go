package pulsar

import (
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/checkpointtest"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
)

func BenchmarkLoad(b *testing.B) {
	s := newSite(b, pulsartest.Shared(b), checkpointtest.LoadShards)
	checkpointtest.BenchmarkLoad(b, func(node string) checkpoint.Store { return s.open(b, s.config(node)) })
}
