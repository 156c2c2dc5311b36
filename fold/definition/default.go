package definition

import "time"

// Default returns what a tenant's dashboards without a definition of their own fold by, if the
// tenant set no default: the newest value of every metric, and its aggregates over 10 seconds.
func Default(tenant string) *Definition {
	return &Definition{
		Tenant: tenant,
		Time:   Time{Bound: 2 * time.Second, Idle: 10 * time.Second, MaxFuture: time.Minute, Lateness: 30 * time.Second},
		Dedupe: Dedupe{By: ByID, Horizon: 10 * time.Minute},
		Tie:    TieOrder,
		Panels: []Panel{
			{
				ID: "latest", Window: Window{Kind: Latest}, GroupBy: []string{"metric"},
				Keep: defaultKeep, MaxGroups: defaultMaxGroups,
			},
			{
				ID: "window", Window: Window{Kind: Tumbling, Size: 10 * time.Second}, GroupBy: []string{"metric"},
				Aggregates: []string{"count", "sum", "min", "max", "avg", "last"},
				Keep:       defaultKeep, MaxGroups: defaultMaxGroups,
			},
		},
	}
}
