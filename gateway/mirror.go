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

// heartbeat is how old a view's place may become while versions pass that change nothing in it.
const heartbeat = 5 * time.Second

// mirror is a gateway's copy of one dashboard. mirrors starts its goroutine, run, which ends when
// done closes.
type mirror struct {
	key    messages.Key
	feed   feed.Feed
	flush  time.Duration
	stats  *stats
	budget *views // shared by all mirrors
	kept   *kept  // shared by all mirrors

	inbox        chan *feed.Update // at most one answer to each Ask, so room for one is enough
	timesChanged chan struct{}     // a cohort or a waiter came whose time run does not know yet
	done         chan struct{}
	loaded       chan struct{} // closed when the first read has succeeded or failed
	err          error         // why the first read failed; valid after loaded

	refs  int       // guarded by mirrors.mu, like idle
	idle  time.Time // since when refs is 0
	views int       // number of subscriptions; guarded by mirrors.mu

	mu       sync.Mutex
	epoch    messages.Epoch
	position messages.Position // position of the last record in set
	set      cells.Set
	schema   wire.Schema
	metrics  int    // number of the panel of newest values
	time     int64  // log time, ms
	state    string // as last seen by look
	lagging  bool   // look last found the fold behind; if the next look finds the same, it counts
	lag      int64
	since    int64 // since when it is not live, ms
	cohorts  map[cohortKey]*cohort
	ahead    []*subscription // subscriptions that wait for a version that the mirror has not reached
	news     chan struct{}   // closed at the next change; nil: nobody waits
	changes  map[uint64]*cells.Update
	held     int64 // bytes of changes
	used     bool  // used since the last sweep
}

func newMirror(k messages.Key, c Config, st *stats, budget *views, kept *kept) *mirror {
	return &mirror{
		key: k, feed: c.Feed, flush: c.Flush, stats: st, budget: budget, kept: kept,
		inbox: make(chan *feed.Update, 1), timesChanged: make(chan struct{}, 1),
		done: make(chan struct{}), loaded: make(chan struct{}),
		cohorts: map[cohortKey]*cohort{}, state: wire.StateLive,
	}
}

// Deliver takes a feed's answer. It drops an answer if there is no room: what the answer tells is
// asked for again.
func (m *mirror) Deliver(u *feed.Update) {
	select {
	case m.inbox <- u:
	default:
	}
}

// run fills the mirror until done closes. It asks, waits for the answer, hands it to the cohorts at
// once, and asks again, but not within a flush interval of the last question. So the first change
// after an idle time is sent at once. Under load, changes coalesce at the owner, and the answer to
// an old question does not delay the next one.
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
			if u.From > 0 { // otherwise it is a complete state, which may be old
				m.stats.ages.Observe(max(0, time.Since(time.UnixMilli(u.Time)).Seconds()))
			}
			m.apply(u)
			asked = false
		case <-m.timesChanged:
		case <-timer.C:
		}
	}
}

// open subscribes, which keeps the dashboard awake, and reads the initial state. The reading also
// serves a dashboard without records, for which a subscription delivers nothing.
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

// place returns the place to ask from.
func (m *mirror) place() feed.Place {
	m.mu.Lock()
	defer m.mu.Unlock()
	return feed.Place{Epoch: m.epoch, Version: m.set.Version(), Position: m.position}
}

// apply applies an answer to the set and marks the cohorts whose view it changes. An answer that
// leaves a gap, or that has another epoch and does not start from 0, is dropped. The next Ask gets
// a better one.
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

// tick wakes the cohorts that are due, and the subscriptions that waited for a version. It returns
// when it must be called next.
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

// recheck makes run check the times again.
func (m *mirror) recheck() {
	select {
	case m.timesChanged <- struct{}{}:
	default:
	}
}

// changesSince returns the set's changes after v, computed once per version for all cohorts.
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

// changed returns a channel that is closed when the mirror moves beyond the place, or at once if it
// has already.
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

// join returns the cohort of the key. It makes one if necessary, if the budget of views allows it.
// The caller must enter the cohort before the mirror's mu is released.
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

// sameOverflow reports whether two schemas of one epoch have the same overflow. They cannot differ
// in anything else.
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
