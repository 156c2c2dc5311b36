package roles

import (
	"context"
	"math"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/feed/remote"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/gateway"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
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

// roomAt returns a gateway's way to ask whether a dashboard may get a record. It asks a node only
// for tenants whose limit is below what the fold itself refuses.
func roomAt(c *remote.Client) gateway.Room {
	return func(ctx context.Context, k messages.Key, most, coming int) (bool, error) {
		if most >= fold.MaxTenantDashboards {
			return false, nil
		}
		return c.Room(ctx, k, most, coming)
	}
}
