package remote

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote/envelope"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// nothing is a feed that has nothing to tell.
type nothing struct{ feed.Feed }

func (nothing) Subscribe(messages.Key, feed.Viewer) (feed.Subscription, error) { return silent{}, nil }

func (nothing) Status(messages.Key) feed.Status { return feed.Status{} }

type silent struct{}

func (silent) Ask(feed.Place) {}
func (silent) Close()         {}

func TestVersionsAreRefusedAloud(t *testing.T) {
	m := &envelope.ToOwner{Table: 7}
	b := seal(forOwner, m)
	if mine, err := open(forGateway, b, &envelope.ToGateway{}); mine || err != nil {
		t.Errorf("a message for the other end: %t, %v", mine, err)
	}
	b[1] = 9
	_, err := open(forOwner, b, m)
	if !errors.Is(err, errVersion) || !strings.Contains(err.Error(), "9, this end speaks 1") {
		t.Errorf("another version: %v", err)
	}
	b[1] = Version
	if _, err := open(forOwner, b[:len(b)-1], m); err == nil {
		t.Error("a torn message is read")
	}
	newer := append(b, 0xf2, 0x3f, 3, 'n', 'e', 'w') // field 1022
	if mine, err := open(forOwner, newer, m); !mine || err != nil || m.GetTable() != 7 {
		t.Errorf("a field of a newer version: %t, %v", mine, err)
	}
}

// Whatever arrives, neither end falls over.
func FuzzReceive(f *testing.F) {
	f.Add(seal(forOwner, &envelope.ToOwner{Table: 1, To: 1, Changed: []*envelope.Interest{{Id: 1, Tenant: "t", Dashboard: "d", Ask: 1}}, Closed: []uint64{1}}))
	f.Add(seal(forGateway, &envelope.ToGateway{Stream: 1, Part: &envelope.Part{Number: 1, Bytes: []byte{1}}, Payloads: []*envelope.Payload{{}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewServer(ServerConfig{Feed: nothing{}, Send: func(string, []byte) {}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		g := newGateway(s, "g", 1)
		m := &envelope.ToOwner{}
		if mine, err := open(forOwner, b, m); mine && err == nil && len(m.GetRequests()) == 0 {
			g.hear(m)
			g.closeAll()
		}
		g.requests.stop()
		a := assembly{}
		v := &envelope.ToGateway{}
		if mine, err := open(forGateway, b, v); mine && err == nil {
			_, _ = a.take(v.GetPart())
			for _, p := range v.GetPayloads() {
				_, _ = updateIn(p.GetAnswer().GetUpdate(), messages.Key{}, &schemaSeen{})
				_, _ = readingIn(p.GetReply().GetReading())
			}
		}
	})
}

// An outbox holds a window's worth; what finds no room is asked for again, each interest once.
func TestOutboxIsBounded(t *testing.T) {
	s, _ := NewServer(ServerConfig{Feed: nothing{}, Send: func(string, []byte) {}})
	defer s.Close()
	g := newGateway(s, "g", 1)
	defer g.requests.stop()
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
	if g.out.bytes > Window {
		t.Errorf("%d bytes wait, at most %d may", g.out.bytes, Window)
	}
	if n := len(g.out.hungry); n == 0 || n > len(all) {
		t.Errorf("%d of %d interests are to be asked again", n, len(all))
	}
	asked := map[*interest]bool{}
	for len(g.out.hungry) > 0 {
		for _, r := range g.out.take() {
			for _, i := range g.out.done(r.size) {
				if asked[i] {
					t.Fatal("an interest is asked twice")
				}
				asked[i] = true
			}
		}
		for _, i := range g.out.done(0) {
			asked[i] = true
		}
	}
	if g.out.bytes != 0 {
		t.Errorf("%d bytes wait of nothing", g.out.bytes)
	}
	huge := &feed.Update{Update: cells.Update{Cells: make([]cells.Cell, 100_000)}}
	all[0].Deliver(huge)
	if len(g.out.take()) != 1 {
		t.Error("what is larger than the window finds no room in an empty outbox")
	}
}

func TestBoundsOfAServer(t *testing.T) {
	s, err := NewServer(ServerConfig{Feed: nothing{}, Send: func(string, []byte) {}, Bounds: Bounds{Gateways: 2, Interests: 3}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 5 {
		s.Receive(fmt.Sprint("g", i), seal(forOwner, &envelope.ToOwner{Table: 1}))
	}
	s.mu.Lock()
	if len(s.gateways) != 2 {
		t.Errorf("%d gateways, at most 2 may be", len(s.gateways))
	}
	s.mu.Unlock()
	g := newGateway(s, "g", 9)
	defer g.requests.stop()
	m := &envelope.ToOwner{Table: 1, To: 5}
	for id := range uint64(5) {
		m.Changed = append(m.Changed, &envelope.Interest{Id: id + 1, Tenant: "t", Dashboard: "d"})
	}
	g.hear(m)
	if len(g.interests) != 3 {
		t.Errorf("%d interests, at most 3 may be", len(g.interests))
	}
}

// nowhere is a directory that knows no source.
type nowhere struct{ Directory }

func (nowhere) PartitionOf(messages.Key) (int, error) { return 0, nil }

func (nowhere) Source(int) (string, bool) { return "", false }

func TestBoundsOfAClient(t *testing.T) {
	c, err := NewClient(ClientConfig{Directory: nowhere{}, Send: func(string, []byte) {}, Subscriptions: 2, Requests: 1})
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
	r, err := c.enter(t.Context(), 0, "", &envelope.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.enter(t.Context(), 0, "", &envelope.Request{}); !errors.Is(err, errRequests) {
		t.Errorf("a second request: %v", err)
	}
	c.exit(r)
	c.mu.Lock()
	s := newSource(c, "n")
	table := s.table
	for id := range uint64(mostClosings + 1) {
		s.close(id)
	}
	if s.table == table || len(s.closings) != 0 {
		t.Errorf("%d closings wait in the same table", len(s.closings))
	}
	c.mu.Unlock()
}

// Parts come together in any order, also repeated and mixed with the next payload's; what stays incomplete does not stay.
func TestAssembly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		var a assembly
		for number := uint64(1); number < 20; number += 2 {
			want := map[uint64][]byte{}
			var parts []*envelope.Part
			for n := number; n < number+2; n++ {
				b, _ := proto.Marshal(&envelope.Payload{What: &envelope.Payload_Reply{Reply: &envelope.Reply{Message: strings.Repeat("x", rng.IntN(50)), Request: n}}})
				want[n] = b
				for i := uint32(0); ; i++ {
					cut := min(len(b), 1+rng.IntN(9))
					parts = append(parts, &envelope.Part{Number: n, Index: i, Bytes: b[:cut], More: cut < len(b)})
					if b = b[cut:]; len(b) == 0 {
						break
					}
				}
			}
			parts = append(parts, parts[rng.IntN(len(parts))])
			rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			lost := uint64(0)
			if rng.IntN(3) == 0 {
				lost = parts[0].Number
				first := parts[0].Index
				parts = append([]*envelope.Part(nil), parts...)
				kept := parts[:0]
				for _, p := range parts {
					if p.Number != lost || p.Index != first {
						kept = append(kept, p)
					}
				}
				parts = kept
			}
			for _, p := range parts {
				whole, err := a.take(p)
				if err != nil {
					rt.Fatal(err)
				}
				if whole == nil {
					continue
				}
				n := whole.GetReply().GetRequest()
				if got, _ := proto.Marshal(whole); !bytes.Equal(got, want[n]) {
					rt.Fatalf("payload %d is another", n)
				}
				delete(want, n)
			}
			// The first to be begun may have been the later one: then the earlier counts as given up.
			if len(want) > 2 || lost == 0 && len(want) > 1 || len(a.open) > mostOpen {
				rt.Fatalf("%d of 2 payloads did not come, %d are open", len(want), len(a.open))
			}
		}
		big := make([]byte, roomBytes)
		for n := uint64(100); n < 103; n++ {
			for i := range uint32(MaxPayloadBytes/roomBytes - 2) {
				if _, err := a.take(&envelope.Part{Number: n, Index: i, Bytes: big, More: true}); err != nil {
					rt.Fatal(err)
				}
			}
			if a.bytes() > MaxPayloadBytes {
				rt.Fatalf("%d bytes are held", a.bytes())
			}
		}
		if _, err := a.take(&envelope.Part{Number: 103, Index: 1 << 20, Bytes: big}); err == nil {
			rt.Fatal("a part far beyond the largest payload is taken")
		}
	})
}

// Every error that has a meaning keeps it; texts come along.
func TestCodes(t *testing.T) {
	for _, c := range codes {
		code, text := errorOut(fmt.Errorf("read: %w", c.err))
		if err := errorIn(code, text); !errors.Is(err, c.err) || err.Error() != "read: "+c.err.Error() {
			t.Errorf("%v is read as %v", c.err, err)
		}
	}
	if err := errorIn(errorOut(errors.New("the disk is gone"))); err == nil || err.Error() != "the disk is gone" {
		t.Errorf("another error is read as %v", err)
	}
}
