// Remote sets gRPC's global logger each time it starts, which races with any connection of the process: several links in one
// process can't be tested under the race detector.

//go:build !race

package link

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func TestMain(m *testing.M) {
	childMain()
	goleak.VerifyTestMain(m)
}

// mail is what a handler got.
type mail struct {
	from Peer
	body string
}

// box collects mail of one kind.
type box chan mail

func (b box) take(from Peer, body []byte) { b <- mail{from, string(body)} }

func (b box) next(t *testing.T) mail {
	t.Helper()
	select {
	case m := <-b:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came for 10 s")
		return mail{}
	}
}

// node is a link with a box for every kind.
type node struct {
	*Link
	boxes map[Kind]box
	lost  chan Peer
}

func listen(t *testing.T, name, bind string, change ...func(*Config)) *node {
	t.Helper()
	c := Config{Node: name, Bind: bind}
	for _, f := range change {
		f(&c)
	}
	l, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{l, map[Kind]box{}, make(chan Peer, 100)}
	l.Lost(func(p Peer) {
		select {
		case n.lost <- p:
		default:
		}
	})
	t.Cleanup(func() { l.Close() })
	return n
}

// start opens the node's link, with a box for every kind that has no other handler.
func (n *node) start(t *testing.T) *node {
	t.Helper()
	for _, k := range kinds {
		if n.handlers[k] == nil {
			n.boxes[k] = make(box, 100_000)
			n.Handle(k, n.boxes[k].take)
		}
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMessagesArriveInOrderByKind(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	for i := range 1000 {
		a.Send(b.Self(), Feed, fmt.Append(nil, i))
	}
	a.Send(b.Self(), Command, []byte("do"))
	for i := range 1000 {
		if m := b.boxes[Feed].next(t); m.body != fmt.Sprint(i) || m.from != a.Self() {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
	if m := b.boxes[Command].next(t); m.body != "do" {
		t.Fatalf("got %+v", m)
	}
	b.Send(a.Self(), Beat, []byte("back"))
	if m := a.boxes[Beat].next(t); m.body != "back" || m.from != b.Self() {
		t.Fatalf("got %+v", m)
	}
}

func TestANodeHearsItself(t *testing.T) {
	a := listen(t, "a", "127.0.0.1:0").start(t)
	a.Send(a.Self(), Beat, []byte("me"))
	if m := a.boxes[Beat].next(t); m.body != "me" || m.from != a.Self() {
		t.Fatalf("got %+v", m)
	}
}

func TestWhatANodeSendsItselfIsBounded(t *testing.T) {
	a := listen(t, "a", "127.0.0.1:0")
	entered, release := make(chan struct{}, 1<<20), make(chan struct{})
	a.Handle(Feed, func(Peer, []byte) { entered <- struct{}{}; <-release })
	a.start(t)
	a.Send(a.Self(), Feed, nil)
	<-entered
	for range maxSelf + 10 {
		a.Send(a.Self(), Feed, nil)
	}
	if got := testutil.ToFloat64(a.meter.dropped.WithLabelValues("feed", "full")); got != 10 {
		t.Errorf("%v of %d messages beyond the bound were dropped", got, 10)
	}
	close(release)
}

func TestBeatsPassDataThatIsStuck(t *testing.T) {
	b := listen(t, "b", "127.0.0.1:0")
	release := make(chan struct{})
	b.Handle(Feed, func(Peer, []byte) { <-release })
	a := listen(t, "a", "127.0.0.1:0").start(t)
	b.start(t)
	const sent = 200
	for range sent { // 50 MiB: more than any window, and more than may wait
		a.Send(b.Self(), Feed, make([]byte, 256<<10))
	}
	for i := range 20 {
		a.Send(b.Self(), Beat, fmt.Append(nil, i))
		if m := b.boxes[Beat].next(t); m.body != fmt.Sprint(i) {
			t.Fatalf("got %+v", m)
		}
	}
	dropped := testutil.ToFloat64(a.meter.dropped.WithLabelValues("feed", "full"))
	if dropped < sent/2 {
		t.Errorf("%v of %d were dropped: the queue has no bound", dropped, sent)
	}
	close(release)
}

func TestOnlyTheIncarnationMeantGetsIt(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	old := Peer{Name: Incarnation("b", time.Unix(1, 0)), Address: b.Self().Address}
	a.Send(old, Beat, []byte("for the dead"))
	a.Send(old, Feed, []byte("for the dead"))
	for range 200 {
		a.Send(b.Self(), Beat, []byte("for the living"))
		if m := b.boxes[Beat].next(t); m.body != "for the living" {
			t.Fatalf("got %+v", m)
		}
	}
	if n := len(b.boxes[Feed]); n != 0 {
		t.Errorf("%d messages for another incarnation arrived", n)
	}
}

func TestNothingArrivesBeforeStart(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0")
	b.boxes[Beat] = make(box, 100)
	b.Handle(Beat, b.boxes[Beat].take)
	for range 10 {
		a.Send(b.Self(), Beat, nil)
	}
	b.start(t)
	until(t, a, b) // and it is reached soon after
}

// until sends beats until one arrives.
func until(t *testing.T, a, b *node) time.Duration {
	t.Helper()
	start := time.Now()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for time.Since(start) < 10*time.Second {
		a.Send(b.Self(), Beat, []byte("beat"))
		select {
		case <-b.boxes[Beat]:
			return time.Since(start)
		case <-every.C:
		}
	}
	t.Fatal("no beat arrived in 10 s")
	return 0
}

func TestADeadPeerIsLostAndItsHeirIsReached(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	until(t, a, b)
	start := time.Now()
	b.Close()
	if p := <-a.lost; p != b.Self() {
		t.Errorf("lost %v, want %v", p, b.Self())
	}
	t.Logf("lost after %v", time.Since(start))
	// Beats to the dead go on for a while, as they would until the view has changed.
	for range 5 {
		a.Send(b.Self(), Beat, nil)
	}
	heir := listen(t, "b", b.Self().Address).start(t)
	t.Logf("the heir is reached after %v", until(t, a, heir))
}

func TestANodeThatIsNotThereHoldsNobodyUp(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	nobody := []Peer{{"x~1", "127.0.0.1:1"}, {"y~1", "192.0.2.1:9"}, {"z~1", "no such host:1"}, {"v~1", "%%%:1"}}
	for range 20 {
		for _, p := range nobody {
			a.Send(p, Beat, nil)
		}
		start := time.Now()
		a.Send(b.Self(), Beat, nil)
		b.boxes[Beat].next(t)
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("a beat took %v", d)
		}
	}
}

func TestAMessageOfAnUnknownTypeClosesOneConnection(t *testing.T) {
	silent := func(c *Config) { c.Logger = slog.New(slog.DiscardHandler) }
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0", silent).start(t)
	until(t, a, b)
	cc, err := grpc.NewClient("passthrough:///"+b.Self().Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	for _, batch := range []*remote.MessageBatch{
		{TypeNames: []string{"no.such.Type"}, Targets: []*actor.PID{{Id: "x"}}, Envelopes: []*remote.MessageEnvelope{{}}},
		{Envelopes: []*remote.MessageEnvelope{{Target: 7, TypeId: 9}}},
		{TypeNames: []string{"dashfeed.link.Parcel"}, Targets: []*actor.PID{{Address: laneAddress(b.Self().Address, Beat), Id: target(b.Self().Name, Beat)}}, Envelopes: []*remote.MessageEnvelope{{MessageData: []byte{0xff}}}},
	} {
		s, err := remote.NewRemotingClient(cc).Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(&remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: batch}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err == nil {
			t.Error("the stream lives on")
		}
	}
	if _, err := remote.NewRemotingClient(cc).ListProcesses(context.Background(), &remote.ListProcessesRequest{}); err == nil {
		t.Error("a call that isn't spoken was answered")
	}
	until(t, a, b)
}

func TestSendAfterCloseIsHarmless(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				a.Send(b.Self(), Feed, []byte("x"))
			}
		})
	}
	a.Close()
	wg.Wait()
	a.Send(b.Self(), Feed, []byte("x"))
	a.Close()
	if a.Start() == nil {
		t.Error("a closed link started")
	}
}

func TestWhatIsWrongWithAConfigIsSaid(t *testing.T) {
	taken := listen(t, "a", "127.0.0.1:0")
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Bind: "127.0.0.1:0"}, "no node name"},
		{Config{Node: "a~b", Bind: "127.0.0.1:0"}, "leave them out"},
		{Config{Node: "a", Bind: "127.0.0.1"}, "host:port"},
		{Config{Node: "a", Bind: "127.0.0.1:http"}, "no number"},
		{Config{Node: "a", Bind: "127.0.0.1:0", Advertise: "x:0"}, "others can dial"},
		{Config{Node: "a", Bind: "0.0.0.0:0"}, "give an advertised one"},
		{Config{Node: "a", Bind: taken.Self().Address}, "choose another port"},
		{Config{Node: "a", Bind: "127.0.0.1:0", TLS: TLS{CA: "x"}}, "all of CA"},
		{Config{Node: "a", Bind: "127.0.0.1:0", TLS: TLS{"/no/ca", "/no/cert", "/no/key"}}, "no such file"},
	} {
		l, err := Listen(c.config)
		if err == nil {
			l.Close()
			t.Errorf("%+v is taken", c.config)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q lacks %q", err, c.want)
		}
	}
}
