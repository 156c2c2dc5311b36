package limits

import (
	"fmt"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// Config says what the limits are.
type Config struct {
	Values     Values                // for the defaults of Table
	Buckets    int                   // most buckets in memory; 0: 65,536
	Registerer prometheus.Registerer // nil: metrics are counted and not exported
}

// Overrides are the values of tenants that have their own. It is safe for concurrent use.
type Overrides interface {
	// Value returns the tenant's own value of a limit for which Row.OfTenants holds; ok is false if
	// the server's counts.
	Value(tenant string, l Limit) (v float64, ok bool)
}

// Tenants are Overrides in memory. They do not change after they are passed to Limits.Override.
type Tenants map[string]Values

// Value implements Overrides.
func (t Tenants) Value(tenant string, l Limit) (v float64, ok bool) {
	v, ok = t[tenant][l]
	return v, ok
}

// Limits counts what callers use. It is safe for concurrent use and starts no goroutine.
type Limits struct {
	values    [count]float64
	given     [count]bool // by the operator
	overrides atomic.Pointer[Overrides]
	buckets   *otter.Cache[key, *rate.Limiter]
	metrics   *metrics

	memory memory

	mu   sync.Mutex
	held map[key]int64 // caps; a key is in it while something is held
}

// New returns limits with nothing used.
func New(c Config) (*Limits, error) {
	l := &Limits{held: map[key]int64{}}
	for i := range Table {
		l.values[i] = Table[i].Default
	}
	for limit, v := range c.Values {
		if limit < 0 || limit >= count || math.IsNaN(v) || v < 0 {
			return nil, fmt.Errorf("limits config: value %v of limit %d is not allowed: values from 0, limits from 0 to %d", v, limit, count-1)
		}
		l.values[limit], l.given[limit] = v, true
	}
	if most := max(1, math.Floor(l.values[ProcessConnections]/4)); !l.given[AddressConnections] && most < l.values[AddressConnections] {
		l.values[AddressConnections] = most
	}
	if c.Buckets == 0 {
		c.Buckets = 65_536
	}
	var err error
	l.buckets, err = otter.New(&otter.Options[key, *rate.Limiter]{
		MaximumSize: c.Buckets,
		Executor:    func(do func()) { do() }, // on the caller's goroutine, so that none is left to join
	})
	if err != nil {
		return nil, fmt.Errorf("limits config: %d buckets: %w", c.Buckets, err)
	}
	l.metrics = newMetrics(l, c.Registerer)
	return l, nil
}

// Default returns the limits of Table, for a gateway that is given none.
func Default() *Limits {
	l, err := New(Config{})
	if err != nil {
		panic(err) // the defaults are allowed
	}
	return l
}

// Override replaces the values that tenants have of their own, at once. Buckets keep what is in
// them.
func (l *Limits) Override(o Overrides) { l.overrides.Store(&o) }

// Most returns the server's value of a limit.
func (l *Limits) Most(limit Limit) float64 { return l.values[limit] }

// MostInt is like Most, for caps that are used as whole numbers.
func (l *Limits) MostInt(limit Limit) int {
	return int(min(l.values[limit], 1<<53-1)) // a client's script can read it
}

// Given reports whether the operator has set the limit.
func (l *Limits) Given(limit Limit) bool { return l.given[limit] }

// By is who uses something.
type By struct {
	Address netip.Addr
	// The default limits of addresses don't apply to it: it is this machine, or a proxy. A value
	// that the operator gives applies to it too.
	Local bool

	// of the token; without one, the address is the subject
	Issuer, Subject string
	Lower           Values // of the token: lower values than the server's; nil: none
}

// Key names the tenant and the dashboard of what is used, as far as the limit's scope needs them.
type Key struct{ Tenant, Dashboard string }

// key identifies a bucket or a cap that is held.
type key struct {
	limit   Limit
	lowered bool // counts what one token's own, lower value of a tenant's limit allows
	address netip.Addr
	a, b    string
}

func (l *Limits) keyOf(limit Limit, by *By, k Key) key {
	switch Table[limit].Scope {
	case Address:
		return key{limit: limit, address: by.Address}
	case Subject:
		return subjectKey(limit, by)
	case Tenant:
		return key{limit: limit, a: k.Tenant}
	case Dashboard:
		return key{limit: limit, a: k.Tenant, b: k.Dashboard}
	}
	return key{limit: limit}
}

func subjectKey(limit Limit, by *By) key {
	if by.Subject == "" {
		return key{limit: limit, address: by.Address}
	}
	return key{limit: limit, a: by.Issuer, b: by.Subject}
}

// loweredKey identifies what one token uses of a tenant's or dashboard's limit.
func loweredKey(limit Limit, by *By) key {
	k := subjectKey(limit, by)
	k.lowered = true
	return k
}

// most returns the value of a limit for a caller, apart from its token's. ofTenant is the tenant
// whose own value counts.
func (l *Limits) most(limit Limit, by *By, k Key) float64 {
	v, r := l.values[limit], &Table[limit]
	if r.OfTenants() && k.Tenant != "" {
		if o := l.overrides.Load(); o != nil {
			if own, ok := (*o).Value(k.Tenant, limit); ok {
				v = own
			}
		}
	}
	byAddress := r.Scope == Address || r.Scope == Subject && by.Subject == ""
	if byAddress && by.Local && !l.given[limit] {
		return None
	}
	return v
}

// MostOf returns the value of a cap for a caller, whose token may lower it.
func (l *Limits) MostOf(limit Limit, by *By, k Key) int {
	most := l.most(limit, by, k)
	if own, ok := lower(limit, by, most); ok {
		most = own
	}
	return int(min(most, math.MaxInt32))
}

// lower returns the value that the caller's token has of a limit; ok is false if the token does not
// lower it.
func lower(limit Limit, by *By, most float64) (v float64, ok bool) {
	if by == nil || by.Lower == nil {
		return 0, false
	}
	v, ok = by.Lower[limit]
	return v, ok && v < most
}

// refuse counts and returns the error of a caller that is over a limit.
func (l *Limits) refuse(limit Limit, k key, most float64, wait time.Duration) *wire.Error {
	l.metrics.limited[limit].Inc()
	r := &Table[limit]
	e := wire.Errorf(wire.CodeLimit, "limit %s is reached: %s may have at most %s at this gateway", r.Name, k.who(), withUnit(r, most))
	if wait > 0 {
		e.After = int((min(wait, time.Minute) + time.Millisecond - 1) / time.Millisecond)
	}
	return e
}

// who names the one whose limit is reached.
func (k key) who() string {
	switch r := &Table[k.limit]; {
	case k.lowered:
		return "this token"
	case r.Scope == Address:
		return "address " + k.address.String()
	case r.Scope == Subject && k.b == "":
		return "address " + k.address.String()
	case r.Scope == Subject:
		return "the subject of this token"
	case r.Scope == Tenant:
		return "tenant " + k.a
	case r.Scope == Dashboard:
		return "dashboard " + k.b
	case r.Scope == Session:
		return "a session"
	}
	return "all clients together"
}
