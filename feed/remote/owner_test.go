package remote_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// record is one record of the log that owners fold.
type record struct {
	key    messages.Key
	seed   uint64
	breaks bool
	births int
}

// history is the log of one shard.
type history struct {
	mu      sync.Mutex
	records []record
}

func (h *history) append(r record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records = append(h.records, r)
}

func (h *history) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.records)
}

// owner is a feed that folds a history up to a given record. A dashboard is a versioned set that
// its records move, the same at every owner. It does exactly what the contract in package feed
// says.
type owner struct {
	history *history

	mu      sync.Mutex
	folded  int
	boards  map[messages.Key]*board
	lag     int64
	opened  int // number of open subscriptions
	reads   int
	starts  bool // Read returns ErrStarting
	waiting int  // reads that wait for a position
}

type board struct {
	epoch    messages.Epoch
	position messages.Position
	set      cells.Set
	handles  []cells.Handle
	schema   wire.Schema
	subs     map[*ownerSub]struct{}
}

func newOwner(h *history) *owner { return &owner{history: h, boards: map[messages.Key]*board{}} }

func (o *owner) board(k messages.Key) *board {
	b := o.boards[k]
	if b == nil {
		b = &board{subs: map[*ownerSub]struct{}{}, schema: wire.Schema{{Panel: "p", Title: "0", Window: []byte(`{"tumbling":10000}`), GroupBy: []string{}, Columns: []string{"count"}}}}
		o.boards[k] = b
	}
	return b
}

// fold folds up to n more records.
func (o *owner) fold(n int) {
	o.history.mu.Lock()
	records := o.history.records
	o.history.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	for ; n > 0 && o.folded < len(records); n-- {
		r := records[o.folded]
		o.folded++
		b := o.board(r.key)
		b.take(r, uint64(o.folded))
		for s := range b.subs {
			s.answer()
		}
	}
}

// take folds a record: it creates, touches and removes a few cells.
func (b *board) take(r record, at uint64) {
	rng := rand.New(rand.NewPCG(r.seed, 2))
	b.position = messages.Position{Lo: at}
	v := b.set.Version() + 1
	b.set.Advance(v)
	if b.epoch == 0 || r.breaks {
		b.epoch = messages.Epoch(at)
		b.set.Forget()
		b.schema = slices.Clone(b.schema)
		b.schema[0].Title = fmt.Sprint(at)
	}
	for range 1 + r.births {
		b.handles = append(b.handles, b.set.Put(v, cells.Cell{Panel: uint16(rng.IntN(3)), Start: int64(v), End: int64(v) + 10, Row: row(v)}))
	}
	for range 3 {
		i := rng.IntN(len(b.handles))
		c := b.set.At(b.handles[i])
		c.Row, c.Revision = row(v), c.Revision+1
		b.set.Touch(b.handles[i], v)
	}
	for range rng.IntN(3) {
		if i := rng.IntN(len(b.handles)); len(b.handles) > 1 {
			b.set.Remove(b.handles[i], v)
			b.handles = slices.Delete(b.handles, i, i+1)
		}
	}
}

func row(v uint64) cells.Row {
	return cells.Row(cells.AppendJSON(cells.AppendFloat(nil, float64(v)), strings.Repeat("x", int(v%7)*3)))
}

func (b *board) update(k messages.Key, e messages.Epoch, since uint64) *feed.Update {
	known := e == b.epoch
	if !known {
		since = 0
	}
	u, ok := b.set.Since(since)
	if !ok {
		u, _ = b.set.Since(0)
	}
	u.Epoch = b.epoch
	return &feed.Update{
		Update: u, Key: k, Position: b.position, Time: int64(b.position.Lo) * 1000, Watermark: messages.NoTime,
		Schema: b.schema, Metrics: 1, Reset: known && !ok,
	}
}

type ownerSub struct {
	o     *owner
	k     messages.Key
	v     feed.Viewer
	asked bool
	told  bool // it has answered that there is no record
	at    feed.Place
}

func (s *ownerSub) answer() {
	b := s.o.board(s.k)
	switch {
	case !s.asked:
	case b.epoch == 0 && (s.told || s.at.Epoch != 0):
	case b.epoch != 0 && s.at.Epoch == b.epoch && s.at.Version >= b.set.Version():
	case b.epoch != 0 && s.at.Epoch != b.epoch && s.at.Position.After(b.position):
	default:
		s.asked, s.told = false, b.epoch == 0
		s.v.Deliver(b.update(s.k, s.at.Epoch, s.at.Version))
	}
}

func (s *ownerSub) Ask(at feed.Place) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	s.asked, s.at = true, at
	s.answer()
}

func (s *ownerSub) Close() {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	delete(s.o.board(s.k).subs, s)
	s.o.opened--
}

func (o *owner) Subscribe(k messages.Key, v feed.Viewer) (feed.Subscription, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &ownerSub{o: o, k: k, v: v}
	o.board(k).subs[s] = struct{}{}
	o.opened++
	return s, nil
}

func (o *owner) Read(ctx context.Context, k messages.Key, q feed.Query) (feed.Reading, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	if o.starts {
		return feed.Reading{}, feed.ErrStarting
	}
	b := o.boards[k]
	if q.MustExist && (b == nil || b.epoch == 0) {
		return feed.Reading{}, feed.ErrUnknown
	}
	if q.After != nil && q.After.Position.After(messages.Position{Lo: uint64(o.folded)}) {
		o.waiting++
		o.mu.Unlock()
		<-ctx.Done()
		o.mu.Lock()
		o.waiting--
		return feed.Reading{}, feed.ErrNotInTime
	}
	r := feed.Reading{
		Update:     *o.board(k).update(k, q.Epoch, q.Since),
		Counters:   messages.Counters{Records: 7, InvalidReasons: map[string]uint64{"type": 1}, Panels: map[string]messages.PanelCounter{"p": {Folded: 6}}},
		Definition: feed.DefinitionInForce{Canonical: []byte(`{"dashboard":"d"}`), Hash: "h", Revision: 3},
	}
	if q.Lists {
		r.Late, r.Refused = []event.Listed{{ID: "e-1", Time: 1, Metric: "latency", Reason: "late", Position: "7"}}, []event.Listed{}
	}
	return r, nil
}

func (o *owner) List(_ context.Context, tenant, prefix, after string, limit int) (out []feed.Summary, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for k, b := range o.boards {
		if k.Tenant == tenant && strings.HasPrefix(k.Dashboard, prefix) && k.Dashboard > after && b.epoch != 0 {
			out = append(out, feed.Summary{Key: k, Title: "title", Epoch: b.epoch, Version: b.set.Version(), Time: 5, Panels: 1})
		}
	}
	slices.SortFunc(out, func(a, b feed.Summary) int { return a.Key.Compare(b.Key) })
	return out[:min(limit, len(out))], nil
}

func (o *owner) Default(context.Context, messages.Key) (feed.DefinitionInForce, error) {
	return feed.DefinitionInForce{Canonical: []byte("{}"), Hash: "default", Default: true}, nil
}

func (o *owner) Ready() error { return nil }

func (o *owner) Status(messages.Key) feed.Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	return feed.Status{State: wire.StateLive, Lag: o.lag}
}

func (o *owner) open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.opened
}
