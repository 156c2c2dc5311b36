package roles

import (
	"math"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/gateway"
	"github.com/dashfeed/dashfeed/gateway/limits"
)

// newLimits returns the limits of a public door: those of --limit, which are checked, and what the
// process itself allows.
func newLimits(settings []string, files uint64, metrics prometheus.Registerer) (*limits.Limits, error) {
	values, err := limits.Parse(settings, nil)
	if err != nil {
		return nil, err
	}
	most := float64(gateway.MaxConnections(files)) // more could not be opened
	if given, ok := values[limits.ProcessConnections]; !ok || given > most {
		values[limits.ProcessConnections] = most
	}
	if given, ok := values[limits.ProcessMemory]; ok && given < math.MaxInt64 {
		debug.SetMemoryLimit(int64(given))
	} else if own := debug.SetMemoryLimit(-1); !ok && own < math.MaxInt64 { // from GOMEMLIMIT
		values[limits.ProcessMemory] = float64(own)
	}
	return limits.New(limits.Config{Values: values, Registerer: metrics})
}
