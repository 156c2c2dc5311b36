// Package traffic sends events to a cluster from outside and keeps an account of what was
// acknowledged, by dashboard. Load posts to gateways; ForeignProducer writes to Pulsar as other
// people's producers do, also to wrong partitions and under other keys.
//
//	account := traffic.NewAccount()
//	load := &traffic.Load{Gateways: urls, Dashboards: names, Rate: 1500, Account: account}
//	err := load.Run(ctx)  // until ctx ends; what was begun is sent until it is acknowledged
//	account.Of("d7")                   // Count, Sum: each event once, however often it was sent
//
// Each event has an id of its own and is sent again under that id until it is stored. So a
// dashboard that drops copies by id counts exactly what the account has.
package traffic

import "sync"

// Total holds what one dashboard must have counted.
type Total struct {
	Count uint64
	Sum   float64

	// messages that it must count as invalid: at least the acknowledged ones, at most the sent ones
	Refused, Odd uint64
}

// Account counts what was acknowledged. Any number of goroutines may use it.
type Account struct {
	mu     sync.Mutex
	totals map[string]Total
	all    uint64
}

// NewAccount returns an empty account.
func NewAccount() *Account { return &Account{totals: map[string]Total{}} }

// Of returns what was acknowledged for a dashboard.
func (a *Account) Of(dashboard string) Total {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.totals[dashboard]
}

// All returns how many events were acknowledged.
func (a *Account) All() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all
}

// odd adds messages that the dashboard must refuse.
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
