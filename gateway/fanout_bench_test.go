package gateway

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
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
	for name, d := range map[string]dialect{"plain": plain{}, "json": protocol{}} {
		b.Run(name, func(b *testing.B) {
			f := newLocalFeed()
			step := func(i int) {
				f.step(checkout, func(b *board, v uint64) {
					b.put(v, panelRPS, "DE", 0, float64(i), 1)
					b.newest(v, "latency", float64(i), int64(i), "")
				})
			}
			step(0)
			s, err := New(Config{Feed: f, Flush: -1})
			if err != nil {
				b.Fatal(err)
			}
			w := &writes{done: make(chan struct{}, 1)}
			w.await(sessions, func() {
				for range sessions {
					joinFanOut(b, s, d, &discarding{writes: w, closed: make(chan struct{})})
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
func joinFanOut(b *testing.B, s *Server, d dialect, conn net.Conn) {
	b.Helper()
	if err := s.admit(caller{}); err != nil {
		b.Fatal(err)
	}
	ws := newWebSocket(conn, s.cfg.Sessions.FrameBytes, s.conns)
	ses := newSession(s, ws, caller{}, nil)
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
