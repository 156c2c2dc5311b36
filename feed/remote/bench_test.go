package remote

import (
	"fmt"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// The cost of an update that goes to one gateway, at either end: 100 dashboards change within a flush, with so many cells
// each. ns/update is for all of its way at that end, but for the link.
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
			Number: uint32(c), Start: 1_795_422_000_000, End: 1_795_422_010_000, Born: 17, Changed: 1842,
			Group: cells.Group(cells.AppendGroupKey(nil, fmt.Sprint("country ", c), true)), Row: cells.Row(row),
		})
	}
	return u
}

// benchFlush sends one update of each dashboard and gives the bytes that went to the link.
func benchFlush(g *gateway, interests []*interest, updates []*feed.Update) {
	for i, one := range interests {
		one.Deliver(updates[i])
	}
	g.got, g.flushed = g.sent, time.Time{}
	g.flush(time.Now())
}

func benchServer(b *testing.B, send func(string, []byte)) (*gateway, []*interest) {
	s, err := NewServer(ServerConfig{Feed: nothing{}, Send: send})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	g := newGateway(s, "g", 1)
	b.Cleanup(g.requests.stop)
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
	g, interests := benchServer(b, func(_ string, body []byte) { size += len(body) })
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

func benchmarkGateway(b *testing.B, n int) {
	c, err := NewClient(ClientConfig{Directory: somewhere{}, Send: func(string, []byte) {}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	var bodies [][]byte
	size := 0
	g, interests := benchServer(b, func(_ string, body []byte) { bodies, size = append(bodies, body), size+len(body) })
	updates := make([]*feed.Update, benchBoards)
	var subs []*subscription
	c.mu.Lock()
	c.point(c.shard(0), "n", true)
	c.mu.Unlock()
	got := 0
	for i := range updates {
		sub, err := c.Subscribe(messages.Key{Tenant: "default", Dashboard: fmt.Sprint("board-", i)}, viewer(func(*feed.Update) { got++ }))
		if err != nil {
			b.Fatal(err)
		}
		s := sub.(*subscription)
		subs = append(subs, s)
		interests[i].id = s.id
		updates[i] = benchUpdate(i, n)
		updates[i].Schema = interests[i].seen.schema
		s.seen.hash, s.seen.schema, s.ask = interests[i].known, updates[i].Schema, 1
	}
	benchFlush(g, interests, updates)
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range subs {
			s.answered = false
		}
		for _, body := range bodies {
			c.Receive("n", body)
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

// somewhere is a directory that knows one source.
type somewhere struct{ nowhere }

func (somewhere) Source(int) (string, bool) { return "n", true }

type viewer func(u *feed.Update)

func (v viewer) Deliver(u *feed.Update) { v(u) }
