package link

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Only the newest beat waits for a peer, whatever came before.
func TestOneBeatWaitsForAPeer(t *testing.T) {
	s := &sender{link: &Link{meter: newMeter(), ctx: t.Context()}, wake: make(chan struct{}, 1)}
	for i := range 100 {
		if !s.put(fmt.Append(nil, i)) {
			t.Fatal("a beat is not accepted")
		}
	}
	if body, err := s.next(nil); string(body) != "99" || err != nil || s.body != nil {
		t.Errorf("%s is sent, and %s waits; %v", body, s.body, err)
	}
	if n := testutil.ToFloat64(s.link.meter.dropped.WithLabelValues("beat", "full")); n != 99 {
		t.Errorf("%v beats are counted as dropped, want 99", n)
	}
}

func TestPeersAreBounded(t *testing.T) {
	a := listen(t, "a", "127.0.0.1:0").start(t)
	var all []*Conn
	for i := range MaxPeers {
		c, err := a.Dial(Peer{"x~1", fmt.Sprint("127.0.0.1:", i+1)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if _, err := a.Dial(Peer{"x~1", "one:more"}); err != errPeers {
		t.Errorf("one peer too many: %v", err)
	}
	again, err := a.Dial(all[0].peer)
	if err != nil || again != all[0] {
		t.Errorf("a second Conn to a connected peer: %v", err)
	}
	for _, c := range append(all, again) {
		c.Close()
	}
	if len(a.conns.all) != 0 {
		t.Errorf("%d unused connections are left", len(a.conns.all))
	}
	for i := range MaxPeers + 5 {
		a.Beat(Peer{"x~1", fmt.Sprint("127.0.0.1:", i+1)}, []byte("beat"))
	}
	if n := testutil.ToFloat64(a.meter.dropped.WithLabelValues("beat", "too many peers")); n != 5 {
		t.Errorf("%v beats were dropped, 5 are too many", n)
	}
}

func TestBeatsOfInvalidSize(t *testing.T) {
	a := listen(t, "a", "127.0.0.1:0").start(t)
	a.Beat(a.Self(), nil)
	a.Beat(a.Self(), make([]byte, MaxMessage+1))
	if n := testutil.ToFloat64(a.meter.dropped.WithLabelValues("beat", "size")); n != 2 {
		t.Errorf("%v of 2 beats were dropped", n)
	}
}

func TestIncarnations(t *testing.T) {
	now := time.UnixMicro(time.Now().UnixMicro())
	name := Incarnation("node-1", now)
	if NodeOf(name) != "node-1" || !Started(name).Equal(now) {
		t.Errorf("%s is of %s, started %v, want %v", name, NodeOf(name), Started(name), now)
	}
	if NodeOf("plain") != "plain" || !Started("plain").IsZero() || !Started("a~!").IsZero() {
		t.Error("a plain name has a start time")
	}
}

func TestHello(t *testing.T) {
	h := hello{Version, "c", Peer{"a~1", "a:1"}, "b~1"}
	if got, err := decodeHello(h.encode()); got != h || err != nil {
		t.Errorf("%+v is read as %+v, %v", h, got, err)
	}
	for cut := range len(h.encode()) {
		if _, err := decodeHello(h.encode()[:cut]); err == nil {
			t.Errorf("%d bytes of a hello are read", cut)
		}
	}
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))
