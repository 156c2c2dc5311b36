package pulsar

import (
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/suite"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
)

func BenchmarkLoad(b *testing.B) {
	s := newSite(b, pulsartest.Shared(b), suite.LoadShards)
	suite.BenchmarkLoad(b, func(node string) checkpoint.Shared { return s.open(b, s.config(node)) })
}
