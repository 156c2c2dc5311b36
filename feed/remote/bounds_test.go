package remote

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"pgregory.net/rapid"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/cluster/link/linktest"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// nothing is a feed without content.
type nothing struct{ feed.Feed }

func (nothing) Subscribe(messages.Key, feed.Viewer) (feed.Subscription, error) { return silent{}, nil }

func (nothing) Status(messages.Key) feed.Status { return feed.Status{} }

func (nothing) Read(ctx context.Context, _ messages.Key, q feed.Query) (feed.Reading, error) {
	if q.After != nil {
		<-ctx.Done()
	}
	return feed.Reading{}, ctx.Err()
}

type silent struct{}

func (silent) Ask(feed.Place) {}
func (silent) Close()         {}

// tape is a stream that keeps what is sent on it.
type tape struct {
	grpc.ServerStream
	sent func(m []byte)
}

func (t tape) Context() context.Context { return context.Background() }

func (t tape) SendMsg(m any) error {
	t.sent(bytes.Clone(*m.(*link.Message)))
	return nil
}

// unlinked returns a server without a link.
func unlinked(t testing.TB, b Bounds) *Server {
	s, err := NewServer(ServerConfig{Feed: nothing{}, Link: grpc.NewServer(), Bounds: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// What a newer end adds is skipped; what is truncated is refused.
func TestItems(t *testing.T) {
	var b []byte
	b = end(append(begin(b, 'Z'), "a kind of another time"...), 0)
	at := len(b)
	b = binary.AppendUvarint(begin(b, itemOpen), 7)
	b = appendKey(binary.AppendUvarint(b, 2), messages.Key{Tenant: "t", Dashboard: "d"})
	b = end(append(binary.BigEndian.AppendUint64(b, 9), "a field of another time"...), at)
	s := unlinked(t, Bounds{})
	g := newGateway(s, link.Peer{}, tape{})
	if err := g.take(b); err != nil || len(g.interests) != 1 || g.interests[7].key.Dashboard != "d" || g.interests[7].known != 9 {
		t.Errorf("%v, interests %v", err, g.interests)
	}
	for cut := 1; cut < len(b); cut++ {
		if err := newGateway(s, link.Peer{}, tape{}).take(b[:cut]); err == nil && cut != at {
			t.Errorf("%d bytes of %d are read", cut, len(b))
		}
	}
}

// itemOf completes the item that begins after a message's first byte.
func itemOf(b []byte) []byte { return end(b, 1) }

// Whatever arrives, neither end panics.
func FuzzReceive(f *testing.F) {
	b := binary.AppendUvarint(begin([]byte{last}, itemUpdate), 1)
	b = binary.AppendUvarint(b, 1)
	f.Add(itemOf(appendUpdate(b, benchUpdate(1, 3), &schemaSeen{}, 0)))
	f.Add(itemOf(appendKey(append(begin([]byte{last}, itemOpen), 1, 1), messages.Key{Tenant: "t", Dashboard: "d"})))
	reading, _ := appendReading([]byte{last}, &feed.Reading{Update: *benchUpdate(1, 3), Late: nil})
	f.Add(reading)
	ended, end := context.WithCancel(context.Background())
	end()
	f.Fuzz(func(t *testing.T, b []byte) {
		s := unlinked(t, Bounds{})
		g := newGateway(s, link.Peer{}, tape{})
		var a assembly
		whole, ok, err := a.take(b)
		if !ok || err != nil {
			return
		}
		_ = g.take(whole)
		g.closeAll()
		_, _ = s.ask(ended, nil, whole)
		c := &Client{shards: map[int]*shard{}, stats: newClientStats(nil)}
		at := &source{client: c, subscriptions: map[uint64]*subscription{}}
		at.subscriptions[1] = &subscription{client: c, shard: &shard{source: at}, id: 1, ask: 1, viewer: viewer(func(*feed.Update) {})}
		_ = at.take(whole)
		_, _ = readReading(reader{b: whole})
		_, _ = readSummaries(reader{b: whole})
		_, _ = readDefinition(reader{b: whole})
	})
}

// An outbox holds a bounded number of bytes of updates; besides them it knows which dashboards have
// changed, each once.
func TestOutboxIsBounded(t *testing.T) {
	g := newGateway(unlinked(t, Bounds{}), link.Peer{}, tape{})
	u := &feed.Update{Update: cells.Update{Cells: make([]cells.Cell, 100)}}
	var all []*interest
	for id := range uint64(1_000) {
		all = append(all, &interest{gateway: g, id: id})
	}
	for range 3 {
		for _, i := range all {
			i.Deliver(u)
		}
	}
	if g.out.bytes > Waiting {
		t.Errorf("%d bytes wait, at most %d may", g.out.bytes, Waiting)
	}
	if n := len(g.out.dirty); n == 0 || n > len(all) {
		t.Errorf("%d of %d dashboards will be asked again", n, len(all))
	}
	asked := map[*interest]bool{}
	for len(g.out.dirty) > 0 {
		for _, r := range g.out.take(nil) {
			for _, i := range g.out.done(r.size) {
				if asked[i] {
					t.Fatal("a dashboard is asked twice")
				}
				asked[i] = true
			}
		}
		for _, i := range g.out.done(0) {
			asked[i] = true
		}
	}
	if g.out.bytes != 0 {
		t.Errorf("%d bytes are counted in an empty outbox", g.out.bytes)
	}
	huge := &feed.Update{Update: cells.Update{Cells: make([]cells.Cell, 100_000)}}
	all[0].Deliver(huge)
	if len(g.out.take(nil)) != 1 {
		t.Error("an update larger than the bound finds no room in an empty outbox")
	}
}

func TestInterestsAreBounded(t *testing.T) {
	g := newGateway(unlinked(t, Bounds{Interests: 3}), link.Peer{}, tape{})
	var m []byte
	for id := range byte(5) {
		at := len(m)
		m = append(begin(m, itemOpen), id, 0)
		m = end(binary.BigEndian.AppendUint64(appendKey(m, messages.Key{Tenant: "t", Dashboard: "d"}), 0), at)
	}
	if err := g.take(m); err != nil || len(g.interests) != 3 {
		t.Errorf("%d interests, at most 3 may be; %v", len(g.interests), err)
	}
}

// pair returns an owner without dashboards and links that reach it, in a bubble.
func pair(t *testing.T, b Bounds, gateways ...string) (s *Server, links []*link.Link, end func()) {
	net := linktest.New(1)
	listen := func(name string) *link.Link {
		l, err := link.Listen(link.Config{Node: name, Bind: name + ":1", Network: net.Of(name), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, l)
		return l
	}
	owner := listen("n")
	s, err := NewServer(ServerConfig{Feed: nothing{}, Link: owner, Bounds: b})
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	for _, name := range gateways {
		listen(name)
	}
	return s, links, func() {
		s.Close()
		for _, l := range links {
			_ = l.Close()
		}
	}
}

// One gateway too many is refused, and admitted when another has gone.
func TestGatewaysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, links, end := pair(t, Bounds{Gateways: 2}, "a", "b", "c")
		var clients []*Client
		for _, l := range links[1:] {
			c, err := NewClient(ClientConfig{Directory: somewhere{at: links[0].Self()}, Link: l, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Subscribe(messages.Key{Tenant: "t", Dashboard: "d"}, viewer(func(*feed.Update) {})); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			clients = append(clients, c)
		}
		follow := func() (n int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.gateways[links[3].Self()] != nil {
				n = 10
			}
			return n + len(s.gateways)
		}
		if n := follow(); n != 2 {
			t.Errorf("%d gateways follow, want the first 2", n)
		}
		clients[0].Close()
		time.Sleep(time.Second)
		if n := follow(); n != 12 {
			t.Errorf("%d gateways follow, want the third one in the first one's place", n)
		}
		clients[1].Close()
		clients[2].Close()
		end()
	})
}

// One call too many is told to try again, and the gateway passes that on to its caller.
func TestCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, links, end := pair(t, Bounds{Requests: 1}, "g")
		c, err := NewClient(ClientConfig{Directory: somewhere{at: links[0].Self()}, Link: links[1], Requests: 2})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := c.Read(ctx, messages.Key{}, feed.Query{After: &feed.After{}})
			first <- err
		}()
		time.Sleep(time.Second)
		second := make(chan error, 1)
		go func() {
			_, err := c.Read(t.Context(), messages.Key{}, feed.Query{})
			second <- err
		}()
		time.Sleep(time.Second)
		if _, err := c.Read(t.Context(), messages.Key{}, feed.Query{}); !errors.Is(err, errRequests) {
			t.Errorf("a third call at the gateway: %v", err)
		}
		if err := <-second; !errors.Is(err, feed.ErrStarting) || !errors.Is(err, errBusy) {
			t.Errorf("a second call at the owner: %v", err)
		}
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first call: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := c.Read(t.Context(), messages.Key{}, feed.Query{}); err != nil {
			t.Errorf("a call after the first: %v", err)
		}
		c.Close()
		end()
	})
}

// Answers that a gateway does not read hold a bounded number of bytes.
func TestAnswersAreBounded(t *testing.T) {
	s := unlinked(t, Bounds{})
	c := s.calling(link.Peer{})
	c.bytes.Add(mostAnswers)
	var got []byte
	stream := calledBy{tape{sent: func(m []byte) { got = m }}}
	if err := s.call(stream); err != nil {
		t.Fatal(err)
	}
	r := reader{b: got[1:]}
	if err := errorIn(r.uvarint(), string(r.b)); !errors.Is(err, errBusy) || c.bytes.Load() != mostAnswers {
		t.Errorf("an answer beyond the bound: %v, and %d bytes are counted", err, c.bytes.Load())
	}
}

// calledBy is a stream that asks for a reading.
type calledBy struct{ tape }

func (calledBy) RecvMsg(m any) error {
	*m.(*link.Message) = appendQuery(appendKey([]byte{callRead}, messages.Key{}), feed.Query{})
	return nil
}

// A viewer may ask again before it is answered: an answer to the first ask is then dropped.
func TestAnswersMatchTheirAsk(t *testing.T) {
	var got []uint64
	c := &Client{stats: newClientStats(nil)}
	at := &source{client: c, wake: make(chan struct{}, 1), subscriptions: map[uint64]*subscription{}}
	s := &subscription{client: c, shard: &shard{source: at}, viewer: viewer(func(u *feed.Update) { got = append(got, u.To) })}
	s.join()
	s.Ask(feed.Place{})
	s.Ask(feed.Place{Version: 1841})
	for ask, to := range []uint64{1: 7, 2: 1842, 3: 1843} {
		u := benchUpdate(1, 0)
		u.From, u.To = 0, to
		b := binary.AppendUvarint(binary.AppendUvarint(begin(nil, itemUpdate), s.id), uint64(ask))
		if err := at.take(end(appendUpdate(b, u, &schemaSeen{}, 0), 0)); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(got) != "[1842]" {
		t.Errorf("delivered are %v, want what answers the second ask", got)
	}
}

func TestBoundsOfAClient(t *testing.T) {
	l, err := link.Listen(link.Config{Node: "g", Bind: "g:1", Network: linktest.New(1).Of("g")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := NewClient(ClientConfig{Directory: nowhere{}, Link: l, Subscriptions: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var subs []feed.Subscription
	for range 2 {
		sub, err := c.Subscribe(messages.Key{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	if _, err := c.Subscribe(messages.Key{}, nil); !errors.Is(err, errSubscriptions) {
		t.Errorf("a third subscription: %v", err)
	}
	subs[0].Close()
	if _, err := c.Subscribe(messages.Key{}, nil); err != nil {
		t.Errorf("a second subscription after one closed: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &source{client: c, breakOff: cancel, wake: make(chan struct{}, 1)}
	for id := range uint64(mostClosings + 1) {
		s.close(&subscription{id: id, opened: true})
	}
	if ctx.Err() == nil || len(s.closings) > mostClosings {
		t.Errorf("%d closings wait, and the stream goes on", len(s.closings))
	}
}

// What is sent arrives whole, in messages of bounded size; parts that are too large together are
// not kept.
func TestParts(t *testing.T) {
	noise := make([]byte, 8*MaxMessageBytes)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		var a assembly
		var got [][]byte
		stream := tape{sent: func(m []byte) {
			if len(m) > MaxMessageBytes {
				rt.Fatalf("a message has %d bytes", len(m))
			}
			whole, ok, err := a.take(m)
			if err != nil {
				rt.Fatal(err)
			}
			if ok {
				got = append(got, bytes.Clone(whole))
			}
		}}
		for range 4 {
			size := 1 + []int{rng.IntN(100), MaxMessageBytes - 3 + rng.IntN(6), rng.IntN(4 * MaxMessageBytes)}[rng.IntN(3)]
			m := bytes.Clone(noise[rng.IntN(len(noise)-size):][:size])
			want, sent, n := string(m[1:]), 0, len(got)
			if err := send(stream, m, func(n int) { sent += n }); err != nil || sent < size {
				rt.Fatal(err, sent)
			}
			if len(got) != n+1 || string(got[n]) != want {
				rt.Fatalf("%d bytes arrived changed", len(want))
			}
		}
	})
	var a assembly
	part := make([]byte, MaxMessageBytes)
	part[0] = more
	for range MaxPayloadBytes/MaxMessageBytes - 1 {
		if _, _, err := a.take(part); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if _, _, err := a.take(part); err != nil {
			return
		}
	}
	t.Errorf("%d bytes of parts are held", len(a.held))
}

// Every error with a meaning keeps it, and its text.
func TestCodes(t *testing.T) {
	for _, c := range meanings {
		code, text := errorOut(fmt.Errorf("read: %w", c.err))
		if err := errorIn(code, text); !errors.Is(err, c.err) || err.Error() != "read: "+c.err.Error() {
			t.Errorf("%v is read as %v", c.err, err)
		}
	}
	if err := errorIn(errorOut(errors.New("the disk is gone"))); err == nil || err.Error() != "the disk is gone" {
		t.Errorf("another error is read as %v", err)
	}
	if _, err := unlinked(t, Bounds{}).ask(t.Context(), nil, []byte("?")); !errors.Is(err, errUnknownCall) {
		t.Errorf("an unknown kind of call: %v", err)
	}
}

// nowhere is a directory that knows no source.
type nowhere struct{ Directory }

func (nowhere) PartitionOf(messages.Key) (int, error) { return 0, nil }

func (nowhere) Source(int) (link.Peer, bool) { return link.Peer{}, false }

func (nowhere) Status(int) feed.Status { return feed.Status{} }

// somewhere is a directory that knows one source.
type somewhere struct {
	nowhere
	at link.Peer
}

func (s somewhere) Source(int) (link.Peer, bool) { return s.at, true }

type viewer func(u *feed.Update)

func (v viewer) Deliver(u *feed.Update) { v(u) }
