// Package limits bounds what callers may cost a gateway: how many requests, bytes, connections and
// views an address, a subject, a tenant or a dashboard may have, and how full the process may be.
//
//	l, err := limits.New(limits.Config{Values: values, Registerer: registry})
//	if err := l.Take(limits.SubjectMessages, &by, limits.Key{}, 1); err != nil { … } // 1107
//	l.Override(tenants) // at any time; it counts from the next request on
//
// Table is the one list of limits. Flags, metrics, errors and docs/LIMITS.md are made from it.
//
// There are rates and caps. A rate is a token bucket (x/time/rate). A request takes from it what
// it costs. One that costs more than a full bucket needs a full bucket and leaves a debt, so that
// no request is too large to ever pass, and the average is kept. The buckets are in a bounded map:
// one that has left it counts as full. A cap is a number that is held and given back; it is
// forgotten when nothing is held.
//
// Each gateway counts for itself.
package limits
