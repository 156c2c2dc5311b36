package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages"
)

const (
	// maxAccounts is how many dashboards are asked what became of their events.
	maxAccounts = 100_000
	// settleWait is how long one dashboard may take to fold what was stored.
	settleWait = 30 * time.Second
	// settleAtOnce is how many dashboards are asked at a time.
	settleAtOnce = 8
)

// ledger counts what was stored for each dashboard, and reads the dashboard's counters before and
// after. The difference says what became of the events, as long as nobody else writes to the
// dashboard.
type ledger struct {
	server *client.Client
	tenant string

	mu        sync.Mutex
	accounts  map[messages.Key]*account
	positions map[string]string // of the newest event stored, by partition
	beyond    uint64            // events stored for dashboards beyond maxAccounts
}

// account is the part of one dashboard.
type account struct {
	key      messages.Key
	before   counted
	failed   error  // why before is not known
	stored   uint64 // events
	invented uint64 // those of them whose ids publish has made
	unsure   uint64 // events that are stored or refused: the door did not say which
}

// sent is the tag of an event.
type sent struct {
	account  *account // nil: of a dashboard beyond maxAccounts
	line     int
	invented bool
}

// counted holds a dashboard's counters at one moment.
type counted struct {
	epoch string
	messages.Counters
}

func newLedger(server *client.Client, tenant string) *ledger {
	if tenant == "" {
		tenant = messages.DefaultTenant
	}
	return &ledger{server: server, tenant: tenant, accounts: map[messages.Key]*account{}, positions: map[string]string{}}
}

// meet opens the account of an event's dashboard before its first event is sent.
func (l *ledger) meet(ctx context.Context, e *outgoing) (any, error) {
	if l == nil {
		return nil, nil
	}
	l.mu.Lock()
	a, ok := l.accounts[e.key]
	full := len(l.accounts) >= maxAccounts
	l.mu.Unlock()
	if !ok && !full {
		a = &account{key: e.key}
		if a.before, a.failed = l.ask(ctx, e.key, "", 0); ctx.Err() != nil {
			return nil, ctx.Err()
		}
		l.mu.Lock()
		l.accounts[e.key] = a
		l.mu.Unlock()
	}
	return &sent{a, e.line, e.invented}, nil
}

// ask reads a dashboard's counters. A dashboard without record has none.
func (l *ledger) ask(ctx context.Context, k messages.Key, after string, wait time.Duration) (counted, error) {
	of := l.server
	if k.Tenant != l.tenant {
		of = l.server.Of(k.Tenant)
	}
	r, err := of.Read(ctx, k.Dashboard, client.ReadOptions{After: after, Wait: wait, Bare: true})
	if unknownDashboard(err) {
		return counted{}, nil
	}
	c := counted{epoch: r.Epoch}
	if err == nil {
		err = json.Unmarshal(r.Counters, &c.Counters)
	}
	return c, err
}

// stored adds a batch to its accounts. The publisher's goroutine calls it.
func (l *ledger) stored(b client.Stored) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for partition, position := range b.Positions {
		l.positions[partition] = position
	}
	for i, tag := range b.Tags {
		s, ok := tag.(*sent)
		switch {
		case !ok || slices.Contains(b.Refused, i):
		case s.account == nil:
			l.beyond++
		case b.Unlisted > 0:
			s.account.unsure++
		default:
			s.account.stored++
			if s.invented {
				s.account.invented++
			}
		}
	}
}

// settle reads every dashboard's counters and sums up what became of the events.
func (l *ledger) settle(ctx context.Context, retried bool) *settlement {
	var after []string
	for partition, position := range l.positions {
		after = append(after, partition+":"+position)
	}
	slices.Sort(after)
	list := make([]*account, 0, len(l.accounts))
	for _, a := range l.accounts {
		if a.stored+a.unsure > 0 {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b *account) int { return strings.Compare(a.key.String(), b.key.String()) })
	outcomes := make([]outcome, len(list))
	var asking sync.WaitGroup
	turns := make(chan struct{}, settleAtOnce)
	for i, a := range list {
		turns <- struct{}{}
		asking.Go(func() {
			defer func() { <-turns }()
			now, err := l.ask(ctx, a.key, strings.Join(after, ","), settleWait)
			if a.failed != nil {
				err = a.failed
			}
			outcomes[i] = a.outcome(now, err, retried)
		})
	}
	asking.Wait()
	s := &settlement{}
	for i := range outcomes {
		s.add(&outcomes[i])
	}
	if l.beyond > 0 {
		s.unknown += l.beyond
		s.unclear = append(s.unclear, fmt.Sprintf("%d events went to more dashboards than the %d that are asked", l.beyond, maxAccounts))
	}
	return s
}
