package link

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestMain(m *testing.M) {
	childMain()
	goleak.VerifyTestMain(m)
}

// mail is a received beat.
type mail struct {
	from Peer
	body string
}

// node is a link with a channel for beats.
type node struct {
	*Link
	box  chan mail
	lost chan Peer
}

func listen(t *testing.T, name, bind string, change ...func(*Config)) *node {
	t.Helper()
	c := Config{Node: name, Bind: bind, Cluster: "test", Logger: quiet}
	for _, f := range change {
		f(&c)
	}
	l, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{l, make(chan mail, 100_000), make(chan Peer, 100)}
	l.Handle(func(from Peer, body []byte) { n.box <- mail{from, string(body)} })
	l.Lost(func(p Peer) {
		select {
		case n.lost <- p:
		default:
		}
	})
	t.Cleanup(func() { l.Close() })
	return n
}

func (n *node) start(t *testing.T) *node {
	t.Helper()
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) next(t *testing.T) mail {
	t.Helper()
	select {
	case m := <-n.box:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came for 10 s")
		return mail{}
	}
}

// until sends beats until one arrives.
func until(t *testing.T, a, b *node) time.Duration {
	t.Helper()
	start := time.Now()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for time.Since(start) < 10*time.Second {
		a.Beat(b.Self(), []byte("beat"))
		select {
		case <-b.box:
			return time.Since(start)
		case <-every.C:
		}
	}
	t.Fatal("no beat arrived in 10 s")
	return 0
}

func TestBeatsArriveInOrder(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	before := -1
	for i := range 1000 {
		a.Beat(b.Self(), fmt.Append(nil, i))
	}
	for before != 999 { // newer beats replaced some, but never the last
		var n int
		m := b.next(t)
		if _, err := fmt.Sscan(m.body, &n); err != nil || n <= before || m.from != a.Self() {
			t.Fatalf("beat %+v came behind %d", m, before)
		}
		before = n
	}
	b.Beat(a.Self(), []byte("back"))
	if m := a.next(t); m.body != "back" || m.from != b.Self() {
		t.Fatalf("got %+v", m)
	}
}

func TestANodeHearsItself(t *testing.T) {
	a := listen(t, "a", "127.0.0.1:0", func(c *Config) { c.Advertise = "192.0.2.1:1" }).start(t)
	a.Beat(a.Self(), []byte("me"))
	if m := a.next(t); m.body != "me" || m.from != a.Self() {
		t.Fatalf("got %+v", m)
	}
}

// stream returns a service with one bidirectional stream.
func stream(handle func(grpc.ServerStream) error) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{ServiceName: "dashfeed.test", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{
		StreamName: "Test", ClientStreams: true, ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error { return handle(s) },
	}}}
}

const testMethod = "/dashfeed.test/Test"

func open(t testing.TB, l *Link, to Peer) grpc.ClientStream {
	t.Helper()
	c, err := l.Dial(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s, err := c.NewStream(t.Context(), &stream(nil).Streams[0], testMethod)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBeatsPassStalledData(t *testing.T) {
	b := listen(t, "b", "127.0.0.1:0")
	b.RegisterService(stream(func(s grpc.ServerStream) error { <-s.Context().Done(); return nil }), b)
	a := listen(t, "a", "127.0.0.1:0").start(t)
	b.start(t)
	s := open(t, a.Link, b.Self())
	var sent sync.WaitGroup
	defer sent.Wait()
	filled := make(chan struct{})
	sent.Go(func() { // more than the window, until the test ends
		m := Message(make([]byte, 256<<10))
		for n := 0; s.SendMsg(&m) == nil; n++ {
			if n == Window/len(m) {
				close(filled)
			}
			if n > 2*Window/len(m) {
				t.Error("the window has no bound")
				return
			}
		}
	})
	defer a.Close()
	<-filled
	for i := range 20 {
		a.Beat(b.Self(), fmt.Append(nil, i))
		if m := b.next(t); m.body != fmt.Sprint(i) {
			t.Fatalf("got %+v", m)
		}
	}
}

func TestOnlyTheNamedIncarnationGetsABeat(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	old := Peer{Name: Incarnation("b", time.Unix(1, 0)), Address: b.Self().Address}
	for range 200 {
		a.Beat(old, []byte("for the dead"))
		a.Beat(b.Self(), []byte("for the living"))
		if m := b.next(t); m.body != "for the living" {
			t.Fatalf("got %+v", m)
		}
	}
}

func TestNothingArrivesBeforeStart(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0")
	for range 10 {
		a.Beat(b.Self(), []byte("beat"))
	}
	b.start(t)
	until(t, a, b) // and it is reached soon afterwards
}

func TestADeadPeerIsLostAndItsSuccessorIsReached(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	until(t, a, b)
	start := time.Now()
	b.Close()
	if p := <-a.lost; p != b.Self() {
		t.Errorf("lost %v, want %v", p, b.Self())
	}
	t.Logf("lost after %v", time.Since(start))
	// Beats to the dead peer continue for a while, as they would until the view changes.
	for range 5 {
		a.Beat(b.Self(), []byte("beat"))
	}
	next := listen(t, "b", b.Self().Address).start(t)
	t.Logf("the successor is reached after %v", until(t, a, next))
}

// A peer that opens another stream of beats is not lost when the first one ends.
func TestAPeerThatCameBackIsNotLost(t *testing.T) {
	b := listen(t, "b", "127.0.0.1:0").start(t)
	a := Peer{"a~1", "a:1"}
	beats := func() context.CancelFunc {
		ctx, cancel := context.WithCancel(context.Background())
		s, err := strange(t, b, hello{Version, "test", a, b.Self().Name}).NewStream(ctx, &beats.Streams[0], beatMethod)
		if err == nil {
			err = accepted(s)
		}
		if err != nil {
			t.Fatal(err)
		}
		return cancel
	}
	first := beats()
	second := beats()
	first()
	for { // until the first has ended
		b.mu.Lock()
		n := b.heard[a]
		b.mu.Unlock()
		if n == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if len(b.lost) != 0 {
		t.Error("the peer is lost with a stream that it has replaced")
	}
	second()
	if p := <-b.lost; p != a {
		t.Errorf("lost %v", p)
	}
}

func TestAMissingNodeDelaysNobody(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	nobody := []Peer{{"x~1", "127.0.0.1:1"}, {"y~1", "192.0.2.1:9"}, {"z~1", "no such host:1"}, {"v~1", "%%%:1"}}
	for range 20 {
		for _, p := range nobody {
			a.Beat(p, []byte("beat"))
		}
		start := time.Now()
		a.Beat(b.Self(), []byte("beat"))
		b.next(t)
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("a beat took %v", d)
		}
	}
}

// strange returns a connection to a node with the given hello.
func strange(t *testing.T, to *node, h hello) *Conn {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///"+to.Self().Address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return &Conn{hello: metadata.Pairs(helloKey, h.encode()), grpc: cc}
}

// A caller that does not fit is told why, and nothing else happens at either end.
func TestUnfitCallersAreRefused(t *testing.T) {
	b := listen(t, "b", "127.0.0.1:0").start(t)
	fits := hello{Version, "test", Peer{"a~1", "a:1"}, b.Self().Name}
	for _, c := range []struct {
		change func(*hello)
		want   string
	}{
		{func(h *hello) { h.version = 9 }, "speaks version 3 of the link, the caller version 9: upgrade the older one"},
		{func(h *hello) { h.cluster = "other" }, `belongs to cluster "test", a~1 at a:1 to cluster "other"`},
		{func(h *hello) { h.from.Name = "" }, "is not valid"},
		{func(h *hello) { h.to = "b~1" }, "not b~1"},
	} {
		h := fits
		c.change(&h)
		s, err := strange(t, b, h).NewStream(t.Context(), &beats.Streams[0], beatMethod)
		if err == nil {
			err = accepted(s)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", h, err, c.want)
		}
	}
	mute := strange(t, b, fits)
	mute.hello = nil
	s, err := mute.NewStream(t.Context(), &beats.Streams[0], beatMethod)
	if err == nil {
		err = accepted(s)
	}
	if status.Code(err) != refused {
		t.Errorf("without a hello: %v", err)
	}
	s, err = strange(t, b, fits).NewStream(t.Context(), &beats.Streams[0], "/dashfeed.other/Other")
	if err == nil {
		err = accepted(s)
	}
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown service: %v", err)
	}
}

// A refusal is logged by the process that is refused.
func TestARefusalIsLogged(t *testing.T) {
	var log lockedBuffer
	b := listen(t, "b", "127.0.0.1:0").start(t)
	a := listen(t, "a", "127.0.0.1:0", func(c *Config) {
		c.Cluster, c.Logger = "other", slog.New(slog.NewTextHandler(&log, nil))
	}).start(t)
	for !strings.Contains(log.String(), `belongs to cluster`) {
		a.Beat(b.Self(), []byte("beat"))
		time.Sleep(5 * time.Millisecond)
	}
	for range 10 {
		a.Beat(b.Self(), []byte("beat"))
		time.Sleep(5 * time.Millisecond)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || len(b.box) > 0 {
		t.Errorf("%d lines, %d beats came:\n%s", n, len(b.box), log.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A handler that panics costs its stream and nothing else.
func TestAHandlerThatPanicsClosesOneStream(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0")
	b.RegisterService(stream(func(grpc.ServerStream) error { panic("what is this?") }), b)
	b.start(t)
	until(t, a, b)
	if err := open(t, a.Link, b.Self()).RecvMsg(new(Message)); status.Code(err) != codes.Internal {
		t.Errorf("the stream ended with %v", err)
	}
	until(t, a, b)
	if n := testutil.ToFloat64(b.meter.panics); n != 1 || len(a.lost)+len(b.lost) > 0 {
		t.Errorf("%v panics are counted, %d and %d peers are lost", n, len(a.lost), len(b.lost))
	}
}

func TestBeatAfterCloseIsHarmless(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				a.Beat(b.Self(), []byte("x"))
			}
		})
	}
	a.Close()
	wg.Wait()
	a.Beat(b.Self(), []byte("x"))
	a.Close()
	if _, err := a.Dial(b.Self()); err != errClosed || a.Start() == nil {
		t.Error("a closed link dials or starts")
	}
}

func TestConfigErrors(t *testing.T) {
	taken := listen(t, "a", "127.0.0.1:0")
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Bind: "127.0.0.1:0"}, "no node name"},
		{Config{Node: "a~b", Bind: "127.0.0.1:0"}, "leave them out"},
		{Config{Node: "a", Bind: "127.0.0.1"}, "host:port"},
		{Config{Node: "a", Bind: "127.0.0.1:http"}, "not a number"},
		{Config{Node: "a", Bind: "127.0.0.1:0", Advertise: "x:0"}, "others can dial"},
		{Config{Node: "a", Bind: "0.0.0.0:0"}, "give an advertised one"},
		{Config{Node: "a", Bind: taken.Self().Address}, "choose another port"},
		{Config{Node: "a", Bind: "127.0.0.1:0", TLS: TLS{CA: "x"}}, "all of CA"},
		{Config{Node: "a", Bind: "127.0.0.1:0", TLS: TLS{"/no/ca", "/no/cert", "/no/key"}}, "no such file"},
	} {
		l, err := Listen(c.config)
		if err == nil {
			l.Close()
			t.Errorf("%+v is accepted", c.config)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q lacks %q", err, c.want)
		}
	}
}
