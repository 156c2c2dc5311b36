// Package traffic sends events to a cluster from outside and keeps account of them: what was
// acknowledged, per dashboard. Load posts to gateways; Stranger writes to Pulsar as other people's
// producers do, in the wrong partition and under other keys too.
//
//	account := traffic.NewAccount()
//	load := &traffic.Load{Doors: urls, Dashboards: names, Rate: 1500, Account: account}
//	err := load.Run(ctx) // until ctx ends; what was begun is sent until it is acknowledged
//	account.Of("d7")                   // Count, Sum: each event once, however often it was sent
//
// Each event has an id of its own and is sent again under it until it is stored, so a dashboard
// that tells copies by id counts exactly what the account has.
package traffic

import "sync"

// Total is what one dashboard must have counted.
type Total struct {
	Count uint64
	Sum   float64

	// messages that it must have counted as invalid, at least and at most: acknowledged, and sent
	Refused, Odd uint64
}

// Account is what was acknowledged. Any number of goroutines may use it.
type Account struct {
	mu     sync.Mutex
	totals map[string]Total
	all    uint64
}

// NewAccount is an account of nothing.
func NewAccount() *Account { return &Account{totals: map[string]Total{}} }

// Of is what was acknowledged for a dashboard.
func (a *Account) Of(dashboard string) Total {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.totals[dashboard]
}

// All is how many events were acknowledged.
func (a *Account) All() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all
}

// odd notes messages that the dashboard must refuse.
func (a *Account) odd(dashboard string, refused, sent uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.totals[dashboard]
	t.Refused += refused
	t.Odd += sent
	a.totals[dashboard] = t
}

func (a *Account) add(events []event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range events {
		t := a.totals[e.dashboard]
		t.Count++
		t.Sum += e.value
		a.totals[e.dashboard] = t
		a.all++
	}
}
