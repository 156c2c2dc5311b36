package gateway

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// localFeed is a feed that the test drives: dashboards are versioned sets in memory, changed by
// step. It stands for what is outside this package, and does no more than the contract in package
// feed says.
type localFeed struct {
	mu     sync.Mutex
	boards map[messages.Key]*board
	lag    int64
	status feed.Status   // returned if its State is set
	anew   bool          // answers are snapshots, whatever is asked
	hold   chan struct{} // if set, readings wait for it
}

// board is one dashboard: two visible panels, "rps" (tumbling) and "visits" (session), and the
// hidden one.
type board struct {
	epoch   messages.Epoch
	set     cells.Set
	schema  wire.Schema
	time    int64
	handles map[string]cells.Handle
	subs    map[*localSub]struct{}
	pos     messages.Position
}

const (
	panelRPS = iota
	panelVisits
	panelNewest
)

func testSchema() wire.Schema {
	return wire.Schema{
		{Panel: "rps", Title: "Requests", Window: []byte(`{"tumbling":10000}`), Axis: wire.Axis{Unit: wire.UnitTime, Step: 10_000, Text: "every 10 s"}, Keep: 60, GroupBy: []string{"labels.country"}, Columns: []string{"count", "avg"}},
		{Panel: "visits", Window: []byte(`{"session":30000}`), Axis: wire.Axis{Unit: wire.UnitTime, Grows: true, Text: "sessions"}, Keep: 60, GroupBy: []string{}, Columns: []string{"count"}},
	}
}

func newLocalFeed() *localFeed { return &localFeed{boards: map[messages.Key]*board{}} }

func (f *localFeed) board(k messages.Key) *board {
	b := f.boards[k]
	if b == nil {
		b = &board{schema: testSchema(), handles: map[string]cells.Handle{}, subs: map[*localSub]struct{}{}}
		f.boards[k] = b
	}
	return b
}

// step makes one step of a dashboard and answers the asks.
func (f *localFeed) step(k messages.Key, do func(b *board, v uint64)) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.board(k)
	if b.epoch == 0 {
		b.epoch = 0x9f2c41d0
	}
	b.pos.Lo++
	v := b.set.Version() + 1
	b.set.Advance(v)
	do(b, v)
	for s := range b.subs {
		s.answer()
	}
	return v
}

// put sets a cell's values, by panel, group and start.
func (b *board) put(v uint64, panel uint16, group string, start int64, values ...float64) {
	var row []byte
	for _, x := range values {
		row = cells.AppendFloat(row, x)
	}
	b.putRow(v, panel, group, start, cells.Row(row))
}

func (b *board) putRow(v uint64, panel uint16, group string, start int64, row cells.Row) {
	id := strings.Join([]string{string(rune('a' + panel)), group, string(rune(start/10_000 + 'A'))}, "/")
	if h, ok := b.handles[id]; ok {
		b.set.At(h).Row = row
		if panel == panelVisits {
			b.set.At(h).End += 1_000
		}
		b.set.Touch(h, v)
		return
	}
	b.handles[id] = b.set.Put(v, cells.Cell{Panel: panel, Start: start, End: start + 10_000, Group: cells.Group(cells.AppendGroupKey(nil, group, true)), Row: row})
}

// newest sets a metric's newest value.
func (b *board) newest(v uint64, metric string, value float64, time int64, metadata string) {
	row := cells.AppendInt(cells.AppendFloat(nil, value), time)
	if metadata == "" {
		row = cells.AppendNull(row)
	} else {
		row = cells.AppendJSON(row, metadata)
	}
	b.putRow(v, panelNewest, metric, 0, cells.Row(row))
}

// remove removes every cell that has the prefix "panel letter/group".
func (b *board) remove(v uint64, prefix string) {
	for _, id := range slices.Sorted(func(yield func(string) bool) {
		for id := range b.handles {
			if strings.HasPrefix(id, prefix) && !yield(id) {
				return
			}
		}
	}) {
		b.set.Remove(b.handles[id], v)
		delete(b.handles, id)
	}
}

// shatter begins another epoch.
func (b *board) shatter() {
	b.epoch++
	b.set.Forget()
}

func (b *board) update(k messages.Key, e messages.Epoch, since uint64) feed.Update {
	u, ok := b.set.Since(since)
	reset := false
	if e != b.epoch || !ok {
		reset = e == b.epoch
		u, _ = b.set.Since(0)
	}
	u.Epoch = b.epoch
	return feed.Update{Update: u, Key: k, Position: b.pos, Time: b.time, Watermark: b.time - 2_000, Schema: b.schema, Metrics: panelNewest, Reset: reset}
}

type localSub struct {
	f     *localFeed
	k     messages.Key
	v     feed.Viewer
	asked bool
	epoch messages.Epoch
	since uint64
}

func (s *localSub) answer() {
	b := s.f.board(s.k)
	if !s.asked || s.epoch == b.epoch && b.set.Version() <= s.since {
		return
	}
	s.asked = false
	if s.f.anew {
		s.since = 0
	}
	u := b.update(s.k, s.epoch, s.since)
	s.v.Deliver(&u)
}

func (s *localSub) Ask(at feed.Place) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.asked, s.epoch, s.since = true, at.Epoch, at.Version
	s.answer()
}

func (s *localSub) Close() {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	delete(s.f.board(s.k).subs, s)
}

func (f *localFeed) Subscribe(k messages.Key, v feed.Viewer) (feed.Subscription, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &localSub{f: f, k: k, v: v}
	f.board(k).subs[s] = struct{}{}
	return s, nil
}

func (f *localFeed) Read(ctx context.Context, k messages.Key, q feed.Query) (feed.Reading, error) {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return feed.Reading{}, feed.ErrNotInTime
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.boards[k]
	if b == nil || b.epoch == 0 {
		if q.MustExist {
			return feed.Reading{}, feed.ErrUnknown
		}
		b = f.board(k)
	}
	if q.After != nil && !b.pos.After(q.After.Position) && b.pos != q.After.Position {
		f.mu.Unlock()
		<-ctx.Done()
		f.mu.Lock()
		return feed.Reading{}, feed.ErrNotInTime
	}
	r := feed.Reading{Update: b.update(k, q.Epoch, q.Since), Counters: messages.Counters{Records: b.set.Version()}}
	if q.Lists {
		r.Late = []event.Listed{{ID: "e-1", Time: 1, Metric: "latency", Reason: "late", Position: "7"}}
	}
	return r, nil
}

func (f *localFeed) List(_ context.Context, tenant, prefix, after string, limit int) (out []feed.Summary, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, b := range f.boards {
		if k.Tenant == tenant && strings.HasPrefix(k.Dashboard, prefix) && k.Dashboard > after && b.epoch != 0 {
			out = append(out, feed.Summary{Key: k, Epoch: b.epoch, Version: b.set.Version(), Time: b.time, Panels: len(b.schema), Scoped: len(b.schema) > 0 && b.schema[0].Scope != nil})
		}
	}
	slices.SortFunc(out, func(a, b feed.Summary) int { return a.Key.Compare(b.Key) })
	return out[:min(limit, len(out))], nil
}

func (f *localFeed) Default(context.Context, messages.Key) (feed.DefinitionInForce, error) {
	return feed.DefinitionInForce{Default: true}, nil
}

func (f *localFeed) Ready() error { return nil }

func (f *localFeed) Status(messages.Key) feed.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.status.State != "" {
		return f.status
	}
	return feed.Status{State: wire.StateLive, Lag: f.lag}
}
