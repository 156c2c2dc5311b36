package remote

import (
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/cluster/link/linktest"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// BenchmarkFanOut measures the cost of an update to one gateway, at either end: 100 dashboards
// change within a flush, with the given number of cells each. ns/update covers all work at that end
// except the link.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("owner/cells=", n), func(b *testing.B) { benchmarkOwner(b, n) })
		b.Run(fmt.Sprint("gateway/cells=", n), func(b *testing.B) { benchmarkGateway(b, n) })
	}
}

const benchBoards = 100

func benchUpdate(i, n int) *feed.Update {
	u := &feed.Update{
		Key: messages.Key{Tenant: "default", Dashboard: fmt.Sprint("board-", i)}, Position: messages.Position{Hi: 7, Lo: 1 << 33},
		Time: 1_795_422_000_000, Watermark: 1_795_421_998_000, Metrics: 1,
		Schema: wire.Schema{{Panel: "p", GroupBy: []string{}, Columns: []string{"count", "sum"}}},
		Update: cells.Update{Epoch: 0x9f2c41d0, From: 1841, To: 1842},
	}
	for c := range n {
		row := cells.AppendFloat(cells.AppendInt(nil, int64(c)), float64(c)/3)
		u.Cells = append(u.Cells, cells.Cell{
			Number: uint32(c), Start: 1_795_422_000_000, End: 1_795_422_010_000, Created: 17, Changed: 1842,
			Group: cells.Group(cells.AppendGroupKey(nil, fmt.Sprint("country ", c), true)), Row: cells.Row(row),
		})
	}
	return u
}

// benchFlush sends one update of each dashboard.
func benchFlush(g *gateway, interests []*interest, updates []*feed.Update) {
	for i, one := range interests {
		one.Deliver(updates[i])
	}
	_ = g.flush(false)
}

func benchServer(b *testing.B, sent func([]byte)) (*gateway, []*interest) {
	g := newGateway(unlinked(b, Bounds{}), link.Peer{}, tape{sent: sent})
	var interests []*interest
	for i := range benchBoards {
		one := &interest{gateway: g, id: uint64(i) + 1_000, sub: silent{}}
		one.ask.Store(1)
		one.seen.see(benchUpdate(0, 0).Schema)
		one.known = one.seen.hash
		interests = append(interests, one)
	}
	return g, interests
}

func benchmarkOwner(b *testing.B, n int) {
	size := 0
	g, interests := benchServer(b, nil)
	g.stream = counted{size: &size}
	updates := make([]*feed.Update, benchBoards)
	for i := range updates {
		updates[i] = benchUpdate(i, n)
		updates[i].Schema = interests[i].seen.schema
	}
	b.ReportAllocs()
	for b.Loop() {
		benchFlush(g, interests, updates)
	}
	report(b, n, size/b.N)
}

// counted is a stream that counts what is sent on it.
type counted struct {
	tape
	size *int
}

func (c counted) SendMsg(m any) error {
	*c.size += len(*m.(*link.Message))
	return nil
}

func benchmarkGateway(b *testing.B, n int) {
	l, err := link.Listen(link.Config{Node: "g", Bind: "g:1", Network: linktest.New(1).Of("g")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	c, err := NewClient(ClientConfig{Directory: nowhere{}, Link: l})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	var bodies [][]byte
	size := 0
	g, interests := benchServer(b, func(m []byte) { bodies, size = append(bodies, m), size+len(m) })
	updates := make([]*feed.Update, benchBoards)
	var subs []*subscription
	at := &source{client: c, wake: make(chan struct{}, 1), subscriptions: map[uint64]*subscription{}}
	sh := &shard{source: at, subscriptions: map[*subscription]struct{}{}}
	got := 0
	for i := range updates {
		s := &subscription{client: c, shard: sh, key: messages.Key{Tenant: "default", Dashboard: fmt.Sprint("board-", i)}, viewer: viewer(func(*feed.Update) { got++ })}
		s.join()
		subs = append(subs, s)
		interests[i].id = s.id
		updates[i] = benchUpdate(i, n)
		updates[i].Schema = interests[i].seen.schema
		s.seen.hash, s.seen.schema, s.ask = interests[i].known, updates[i].Schema, 1
	}
	benchFlush(g, interests, updates)
	b.ReportAllocs()
	var parts assembly
	for b.Loop() {
		for _, s := range subs {
			s.answered = false
		}
		for _, body := range bodies {
			whole, _, err := parts.take(body)
			if err == nil {
				err = at.take(whole)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	if got != b.N*benchBoards {
		b.Fatalf("%d updates came in %d rounds", got, b.N)
	}
	report(b, n, size)
}

func report(b *testing.B, n, bytes int) {
	each := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / benchBoards
	b.ReportMetric(each, "ns/update")
	b.ReportMetric(each/float64(n), "ns/cell")
	b.ReportMetric(float64(bytes)/benchBoards/float64(n), "B-link/cell")
}
