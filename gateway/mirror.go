package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// heartbeat is how long a view's place may age while versions pass that change nothing in it.
const heartbeat = 5 * time.Second

// mirror is a gateway's copy of one dashboard. Its goroutine, run, is started by mirrors and ends
// when done closes.
type mirror struct {
	key    messages.Key
	feed   feed.Feed
	flush  time.Duration
	stats  *stats
	budget *views // of all mirrors
	kept   *kept  // as is this

	inbox  chan *feed.Update // one answer an Ask: room for one is enough
	nudge  chan struct{}     // a cohort or a waiter came whose time run does not know yet
	done   chan struct{}
	loaded chan struct{} // closed when the first look has come or failed
	err    error         // why it failed; to be read after loaded

	refs  int       // guarded by mirrors.mu, like idle
	idle  time.Time // since when refs is 0
	views int       // subscriptions; guarded by mirrors.mu

	mu       sync.Mutex
	epoch    messages.Epoch
	position messages.Position // of the last record in set
	set      cells.Set
	schema   wire.Schema
	metrics  int    // number of the panel of newest values
	time     int64  // log time, ms
	state    string // as the last look found it
	lagging  bool   // the last look found the fold behind; the next one believes it
	lag      int64
	since    int64 // ms since when it is not live
	cohorts  map[cohortKey]*cohort
	ahead    []*subscription // wait for a version that the mirror has not reached
	news     chan struct{}   // closed at the next change; nil: nobody waits
	changes  map[uint64]*cells.Update
	held     int64 // what they take
	used     bool  // since the last sweep
}

func newMirror(k messages.Key, c Config, st *stats, budget *views, kept *kept) *mirror {
	return &mirror{
		key: k, feed: c.Feed, flush: c.Flush, stats: st, budget: budget, kept: kept,
		inbox: make(chan *feed.Update, 1), nudge: make(chan struct{}, 1),
		done: make(chan struct{}), loaded: make(chan struct{}),
		cohorts: map[cohortKey]*cohort{}, state: wire.StateLive,
	}
}

// Deliver takes a feed's answer. One that finds the room taken is dropped: what it tells is asked
// for again.
func (m *mirror) Deliver(u *feed.Update) {
	select {
	case m.inbox <- u:
	default:
	}
}

// run fills the mirror until done: it asks, waits for the answer, hands it to the cohorts at once,
// and asks again, but not within a flush interval of the last time. So the first change after quiet
// goes out at once, and under load changes coalesce at the owner, whose answer to a question asked
// long ago does not make the next one wait.
func (m *mirror) run(ctx context.Context, load time.Duration) {
	sub, err := m.open(ctx, load)
	if err != nil {
		m.err = err
		close(m.loaded)
		return
	}
	defer sub.Close()
	close(m.loaded)

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	asked, askAt := false, time.Now()
	for {
		now := time.Now()
		if !asked && !now.Before(askAt) {
			asked, askAt = true, now.Add(m.flush)
			sub.Ask(m.place())
		}
		next := m.tick(now)
		if !asked && askAt.Before(next) {
			next = askAt
		}
		timer.Reset(time.Until(next))
		select {
		case <-m.done:
			return
		case u := <-m.inbox:
			if u.From > 0 { // else it is a first look at what may be old
				m.stats.ages.Observe(max(0, time.Since(time.UnixMilli(u.Time)).Seconds()))
			}
			m.apply(u)
			asked = false
		case <-m.nudge:
		case <-timer.C:
		}
	}
}

// open subscribes, which keeps the dashboard awake, and takes the first look by a reading: it is
// also there for a dashboard that has no record yet, of which a subscription hears nothing.
func (m *mirror) open(ctx context.Context, load time.Duration) (feed.Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, load)
	defer cancel()
	sub, err := m.feed.Subscribe(m.key, m)
	if err != nil {
		return nil, err
	}
	r, err := m.feed.Read(ctx, m.key, feed.Query{})
	if err != nil {
		sub.Close()
		// nobody who waits has named a position
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, feed.ErrNotInTime) {
			err = fmt.Errorf("%w: no first look within %v", feed.ErrStarting, load)
		}
		return nil, err
	}
	m.apply(&r.Update)
	return sub, nil
}

// place is what to ask from.
func (m *mirror) place() feed.Place {
	m.mu.Lock()
	defer m.mu.Unlock()
	return feed.Place{Epoch: m.epoch, Version: m.set.Version(), Position: m.position}
}

// apply takes an answer into the set and tells the cohorts what of it they show. An answer that
// leaves a gap or is not from 0 though its epoch is another is no use; the next Ask gets a better
// one.
func (m *mirror) apply(u *feed.Update) {
	m.mu.Lock()
	defer m.mu.Unlock()
	broken := u.Epoch != m.epoch
	if broken {
		if u.From != 0 {
			return
		}
		m.set = cells.Set{}
	} else if u.To <= m.set.Version() && m.schema != nil {
		return
	}
	if err := m.set.Apply(u.Update); err != nil {
		return
	}
	m.dropChanges()
	m.epoch, m.position, m.time, m.metrics = u.Epoch, u.Position, u.Time, u.Metrics
	redefined := broken || !sameOverflow(m.schema, u.Schema)
	m.schema = u.Schema
	for _, c := range m.cohorts {
		if redefined {
			c.project()
		}
		c.changed = c.changed || broken || u.From == 0 || c.key.dialect.touched(c, &u.Update)
	}
	if m.news != nil {
		close(m.news)
		m.news = nil
	}
}

// tick wakes the cohorts whose time has come, and the subscriptions that waited for a version, and
// gives the time of the next.
func (m *mirror) tick(now time.Time) (next time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next = now.Add(time.Hour)
	for _, c := range m.cohorts {
		due, ok := c.due()
		if !ok {
			continue
		}
		if now.Before(due) {
			next = earlier(next, due)
			continue
		}
		c.tick(now)
		if due, ok = c.due(); ok {
			next = earlier(next, due)
		}
	}
	m.ahead = slices.DeleteFunc(m.ahead, func(s *subscription) bool {
		if s.epoch == m.epoch && s.version > m.set.Version() && now.Before(s.patience) {
			next = earlier(next, s.patience)
			return false
		}
		s.wake()
		return true
	})
	return next
}

// nudged makes run look at the time again.
func (m *mirror) nudged() {
	select {
	case m.nudge <- struct{}{}:
	default:
	}
}

// changesSince is the set's changes after v, worked out once a version for all cohorts.
func (m *mirror) changesSince(v uint64) (*cells.Update, bool) {
	m.used = true
	if u := m.changes[v]; u != nil {
		return u, true
	}
	u, ok := m.set.Since(v)
	if !ok {
		return nil, false
	}
	u.Epoch = m.epoch
	m.keepChanges(v, &u)
	return &u, true
}

// changed is closed when the mirror moves beyond the place; at once where it already has.
func (m *mirror) changed(e messages.Epoch, version uint64) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch != e || m.set.Version() > version {
		c := make(chan struct{})
		close(c)
		return c
	}
	if m.news == nil {
		m.news = make(chan struct{})
	}
	return m.news
}

// join gives the cohort of the key, made where there is none and the budget of views allows it. Who
// joins enters it before anybody leaves.
func (m *mirror) join(k cohortKey, w want) (*cohort, error) {
	c := m.cohorts[k]
	if c == nil {
		if err := m.budget.take(w.cost()); err != nil {
			return nil, err
		}
		c = &cohort{m: m, key: k, want: w, subs: map[*subscription]struct{}{}, interval: max(m.flush, interval(k.rate))}
		c.project()
		c.to, c.lastTick = m.set.Version(), time.Time{}
		m.cohorts[k] = c
	}
	return c, nil
}

// sameOverflow reports whether two schemas of one epoch, which can differ in nothing else, have the
// same overflow.
func sameOverflow(a, b wire.Schema) bool {
	return slices.EqualFunc(a, b, func(a, b wire.Panel) bool {
		return a.Overflow == b.Overflow || a.Overflow != nil && b.Overflow != nil && *a.Overflow == *b.Overflow
	})
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
