package gateway

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
)

// discarding is a socket that accepts every write, so that the gateway's work is measured without
// the system's. Its client is silent: a read ends with Close or a deadline.
type discarding struct {
	*writes
	net.Conn
	closed chan struct{}
	once   sync.Once
}

// writes counts the writes that the sockets have still to take.
type writes struct {
	left atomic.Int64
	done chan struct{}
}

// await waits until do has caused n writes.
func (w *writes) await(n int, do func()) {
	w.left.Store(int64(n))
	do()
	<-w.done
}

func (d *discarding) Write(b []byte) (int, error) {
	if d.left.Add(-1) == 0 {
		d.done <- struct{}{}
	}
	return len(b), nil
}

func (d *discarding) Read([]byte) (int, error) {
	<-d.closed
	return 0, io.EOF
}

func (d *discarding) Close() error                    { d.once.Do(func() { close(d.closed) }); return nil }
func (d *discarding) SetReadDeadline(time.Time) error { return d.Close() } // nothing comes
func (*discarding) SetWriteDeadline(time.Time) error  { return nil }

// BenchmarkFanOut sends one update of a dashboard to 1,000 sessions of one cohort. The allocations
// are those of the whole gateway, per update.
func BenchmarkFanOut(b *testing.B) {
	const sessions = 1_000
	for name, c := range map[string]struct {
		dialect dialect
		bytes   float64 // limit of a subject; each session has its own
	}{"plain": {plain{}, limits.None}, "json": {protocol{}, limits.None}, "json, limited": {protocol{}, 1e12}} {
		b.Run(name, func(b *testing.B) {
			f := newLocalFeed()
			step := func(i int) {
				f.step(checkout, func(b *board, v uint64) {
					b.put(v, panelRPS, "DE", 0, float64(i), 1)
					b.newest(v, "latency", float64(i), int64(i), "")
				})
			}
			step(0)
			s, err := New(Config{Feed: f, Flush: -1, Limits: limitsOf(b, limits.Values{limits.SubjectBytes: c.bytes})})
			if err != nil {
				b.Fatal(err)
			}
			w := &writes{done: make(chan struct{}, 1)}
			w.await(sessions, func() {
				for i := range sessions {
					from := caller{address: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}
					joinFanOut(b, s, c.dialect, from, &discarding{writes: w, closed: make(chan struct{})})
				}
			})
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				w.await(sessions, func() { step(n) })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*sessions), "ns/delivery")
			if err := s.Shutdown(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}

// joinFanOut does what an upgrade does, on a connection that is not a socket.
func joinFanOut(b *testing.B, s *Server, d dialect, from caller, conn net.Conn) {
	b.Helper()
	if err := s.admit(from); err != nil {
		b.Fatal(err)
	}
	ws := newWebSocket(conn, s.cfg.Sessions.FrameBytes, s.conns)
	ses := newSession(s, ws, from, nil)
	ws.attach(ses)
	m, err := s.mirrors.acquire(b.Context(), checkout)
	if err != nil {
		b.Fatal(err)
	}
	sub := &subscription{s: ses, m: m}
	m.mu.Lock()
	c, _ := m.join(cohortKey{dialect: d}, want{})
	sub.view.Store(uint64(c.proj.View))
	sub.enter(c)
	m.mu.Unlock()
	s.mirrors.count(m, 1)
	ses.subs = []*subscription{sub}
	s.start(ses)
	sub.wake()
}
