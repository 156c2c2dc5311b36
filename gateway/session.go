package gateway

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
	"github.com/gorilla/websocket"
)

// maxControl is how many answers to a client's messages wait for the socket; then its messages wait.
const maxControl = 64

// closeGrace is how long a close may take: to get out, and then to be answered.
const closeGrace = time.Second

// session is one client connection. Its reader goroutine lives as long as it does; a writer is started when there is
// something to send and none runs, and ends when there is nothing. Both count in the server's WaitGroup. It has no
// queue: what is to be sent is asked of the subscriptions when the socket takes it.
type session struct {
	srv    *Server
	ws     *websocket.Conn // reads
	conn   net.Conn        // is written to
	plain  bool
	tenant string // that the address binds it to; "": none
	slot   uint8  // which beat of the ticker pings it
	bad    uint8  // bad messages in a row; the reader's

	writer atomic.Uint32 // writerIdle, writerRuns, writerAgain
	heard  atomic.Int64  // when the client was last heard, unix ms

	mu        sync.Mutex
	moved     sync.Cond // on mu: control was taken, or the close was written
	control   [][]byte  // answers, in order
	pong      []byte    // the newest ping's
	slotFrame []byte    // the drain's
	ping      bool
	closing   wire.CloseCode // 0: open
	over      bool           // nothing is written any more
	turn      int            // the subscription that is looked at first
	subs      []*subscription
}

// states of the writer.
const (
	writerIdle uint32 = iota
	writerRuns
	writerAgain // runs, and has to look again
)

// newSession takes over a connection that has been upgraded.
func newSession(srv *Server, ws *websocket.Conn, plain bool) *session {
	s := &session{srv: srv, ws: ws, conn: ws.NetConn(), plain: plain}
	s.moved.L = &s.mu
	s.heard.Store(time.Now().UnixMilli())
	if tcp, ok := s.conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // else the kernel would queue megabytes of stale updates
	}
	ws.SetPongHandler(s.onPong)
	ws.SetPingHandler(s.onPing)
	ws.SetCloseHandler(func(int, string) error { return nil })
	return s
}

// sendBuffer is the size of a session's kernel send buffer: what a slow client has yet to read of the past.
const sendBuffer = 32 << 10

func (s *session) onPong(string) error {
	s.heard.Store(time.Now().UnixMilli())
	return nil
}

func (s *session) onPing(payload string) error {
	s.heard.Store(time.Now().UnixMilli())
	s.mu.Lock()
	s.pong = controlFrame(opPong, payload)
	s.mu.Unlock()
	s.wake()
	return nil
}

// read is the reader goroutine: it handles messages until the connection ends, and then everything of the session.
func (s *session) read() {
	defer s.finish()
	for {
		kind, r, err := s.ws.NextReader()
		if err != nil {
			s.answerClose(err)
			return
		}
		s.heard.Store(time.Now().UnixMilli())
		if s.plain || s.isClosing() {
			continue // the next NextReader skips what was not read
		}
		if kind != websocket.TextMessage {
			s.refuse(0, wire.Errorf(wire.CodeBadMessage, "a binary message, where JSON is spoken"))
			continue
		}
		if err := s.message(r); err != nil {
			return
		}
	}
}

// message reads one message, bounded by what it inflates to, and handles it. An error is the connection's.
func (s *session) message(r io.Reader) error {
	limit := s.srv.cfg.Sessions.FrameBytes
	b := messageBuffers.Get().(*[]byte)
	defer messageBuffers.Put(b)
	var err error
	*b, err = readUpTo(r, (*b)[:0], limit+1)
	if err != nil {
		return err
	}
	if len(*b) > limit {
		s.send(wire.ErrorFrame{Error: *wire.Errorf(wire.CodeTooBig, "a message of more than %d bytes", limit)})
		s.close(wire.CloseTooBig)
		return nil
	}
	s.handle(*b)
	return nil
}

var messageBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// readUpTo appends what r has to b, at most n bytes.
func readUpTo(r io.Reader, b []byte, n int) ([]byte, error) {
	for len(b) < n {
		if len(b) == cap(b) {
			b = slices.Grow(b, len(b)+1)
		}
		k, err := r.Read(b[len(b):min(cap(b), n)])
		b = b[:len(b)+k]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// answerClose answers the client's close, if that is what ended reading.
func (s *session) answerClose(err error) {
	var ce *websocket.CloseError
	if errors.As(err, &ce) && ce.Code != websocket.CloseAbnormalClosure {
		s.close(wire.CloseNormal)
		s.mu.Lock()
		for !s.over {
			s.moved.Wait() // bounded by the write deadline that close has set
		}
		s.mu.Unlock()
	}
}

// finish ends everything of the session. It runs once, on the reader.
func (s *session) finish() {
	s.mu.Lock()
	s.over = true
	subs := s.subs
	s.subs = nil
	s.mu.Unlock()
	_ = s.conn.Close()
	for _, sub := range subs {
		sub.end(s.srv.mirrors)
	}
	s.srv.remove(s)
}

func (s *session) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing != 0
}

// close begins to close the session: what is being written has a last moment, then the close goes out.
func (s *session) close(code wire.CloseCode) {
	s.mu.Lock()
	first := s.closing == 0 && !s.over
	if first {
		s.closing = code
		_ = s.conn.SetWriteDeadline(time.Now().Add(closeGrace))
		s.moved.Broadcast()
	}
	s.mu.Unlock()
	if first {
		s.srv.stats.closes.WithLabelValues(code.Word()).Inc()
		s.wake()
	}
}

// send queues an answer. Only the reader calls it: where the queue is full, the client's next message waits.
func (s *session) send(f wire.Frame) { s.sendWith(f, nil) }

// sendWith queues an answer and, in the same moment, does what must not be seen before it.
func (s *session) sendWith(f wire.Frame, also func()) {
	b := textFrame(wire.Encode(f))
	s.mu.Lock()
	for len(s.control) >= maxControl && s.closing == 0 && !s.over {
		s.moved.Wait()
	}
	if s.closing == 0 {
		s.control = append(s.control, b)
	}
	if also != nil {
		also()
	}
	s.mu.Unlock()
	s.wake()
}

// beat pings the session, or closes it where it was not heard for too long.
func (s *session) beat(now time.Time) {
	if now.UnixMilli()-s.heard.Load() >= s.srv.cfg.Sessions.PingTimeout.Milliseconds() {
		s.close(wire.ClosePing)
		return
	}
	s.mu.Lock()
	s.ping = true
	s.mu.Unlock()
	s.wake()
}

// subscribed is the subscription of that view. Only the reader calls it.
func (s *session) subscribed(view messages.View) *subscription {
	for _, sub := range s.subs {
		if messages.View(sub.view.Load()) == view {
			return sub
		}
	}
	return nil
}

// isTimeout reports whether a write ended by its deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
